package auth

import "context"

// Counts is how many users and organizations a tenant has. They are counted as they are made and deleted, and not when they are listed.
type Counts struct{ Users, Organizations int }

// Recount puts right what tenants' Counts are said to be: a node of an older version counts nothing that it makes or deletes. As a rule
// there is nothing to be done, and it only reads.
func (s *Service) Recount(ctx context.Context) error {
	wrong := false
	err := s.store.View(ctx, func(r Reads) error {
		missing, err := r.Miscounted()
		wrong = len(missing) > 0
		return err
	})
	if err != nil || !wrong {
		return err
	}
	return s.store.Update(ctx, func(tx Tx) error {
		missing, err := tx.Miscounted()
		if err != nil {
			return err
		}
		for t, n := range missing {
			if err := tx.CorrectCounts(t, n); err != nil {
				return err
			}
		}
		return nil
	})
}
