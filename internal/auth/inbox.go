package auth

import (
	"context"
	"time"
)

// InboxItem is a message that the sandbox kept instead of sending it.
type InboxItem struct {
	Tenant TenantID
	ID     ParcelID
	At     time.Time
	Message
}

// inboxScan bounds what one look into the inbox reads.
const inboxScan = 1000

// Inbox lists the latest messages to an address (empty: to anybody), newest first, at most n. Only the sandbox keeps them.
func (s *Service) Inbox(ctx context.Context, to string, n int) ([]InboxItem, error) {
	if !s.sandbox {
		return nil, refuse(CodeNotFound)
	}
	var parcels []Parcel
	f := ParcelFilter{Kinds: messageKinds()}
	if err := s.store.View(ctx, func(r Reads) (err error) { parcels, err = r.Parcels(f, inboxScan); return err }); err != nil {
		return nil, err
	}
	items := []InboxItem{}
	for _, p := range parcels {
		item := InboxItem{Tenant: p.Tenant, ID: p.ID, At: p.CreatedAt}
		if err := s.open(p, &item.Message); err != nil {
			return nil, err
		}
		if (to == "" || item.To == to) && len(items) < n {
			items = append(items, item)
		}
	}
	return items, nil
}

func messageKinds() []ParcelKind { return []ParcelKind{ParcelSMS, ParcelEmail, ParcelPush, ParcelWake} }

// settleUnseen has messages of a sandbox that no look into the inbox reaches any more count as carried, so that they are swept as those are:
// nobody else carries them. It reports whether there may be more of them.
func (s *Service) settleUnseen(ctx context.Context) (more bool, err error) {
	var all []Parcel
	f := ParcelFilter{Kinds: messageKinds(), Status: ParcelPending}
	if err := s.store.View(ctx, func(r Reads) (err error) { all, err = r.Parcels(f, inboxScan+sweepBatch); return err }); err != nil {
		return false, err
	}
	unseen := all[min(len(all), inboxScan):]
	if len(unseen) == 0 {
		return false, nil
	}
	err = s.store.Write(ctx, func(w Writes) error {
		for _, p := range unseen {
			p.Status, p.SettledAt = ParcelDelivered, p.CreatedAt
			if _, err := w.SettleParcel(p); err != nil {
				return err
			}
		}
		return nil
	})
	return len(unseen) == sweepBatch, err
}
