package sandbox

import (
	"net/http"
	"strings"
	"time"

	"countersign/internal/auth"
)

// maxInbox is the most messages of one answer.
const maxInbox = 200

// inboxItem is one message as the sandbox shows it.
type inboxItem struct {
	To        string    `json:"to"`
	Channel   string    `json:"channel"`
	Kind      string    `json:"kind"`
	Subject   string    `json:"subject,omitempty"`
	Text      string    `json:"text"`
	Code      string    `json:"code,omitempty"`
	Link      string    `json:"link,omitempty"`
	Challenge string    `json:"challenge,omitempty"`
	Tenant    string    `json:"tenant"`
	At        time.Time `json:"at"`
}

// inbox lists every message that would have gone out, newest first: to people as a page, to programs as JSON.
func (a *API) inbox(c *call) error {
	if err := c.decode(nil); err != nil {
		return err
	}
	to := c.r.URL.Query().Get("to")
	items, err := a.Auth.Inbox(c.r.Context(), to, maxInbox)
	if err != nil {
		return err
	}
	list := make([]inboxItem, len(items))
	for i, item := range items {
		list[i] = a.inboxItem(item)
	}
	if !wantsPage(c.r) {
		return c.w.JSON(http.StatusOK, list)
	}
	return a.pages.inbox(c, to, list)
}

func (a *API) inboxItem(item auth.InboxItem) inboxItem {
	m := item.Message
	subject, text := a.Render(m)
	return inboxItem{
		To: m.To, Channel: channelOf(m.Kind), Kind: string(m.Template), Subject: subject, Text: text, Code: m.Code,
		Link: m.Link, Challenge: string(m.Challenge), Tenant: string(item.Tenant), At: item.At,
	}
}

// channelOf is the way a message goes: one to a device is a push like another.
func channelOf(k auth.ParcelKind) string {
	if k == auth.ParcelWake {
		k = auth.ParcelPush
	}
	return strings.ToUpper(string(k))
}
