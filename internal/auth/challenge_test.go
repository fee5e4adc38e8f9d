package auth_test

import (
	"testing"

	"countersign/internal/auth"
)

func TestChallengeStatusMoves(t *testing.T) {
	t.Parallel()
	moves := map[auth.ChallengeEvent]auth.ChallengeStatus{
		auth.ChallengeIsApproved: auth.ChallengeApproved, auth.ChallengeIsDenied: auth.ChallengeDenied,
		auth.ChallengeIsFailed: auth.ChallengeFailed, auth.ChallengeRunsOut: auth.ChallengeExpired,
		auth.ChallengeIsCancelled: auth.ChallengeCancelled,
	}
	all := []auth.ChallengeStatus{
		auth.ChallengePending, auth.ChallengeApproved, auth.ChallengeDenied, auth.ChallengeFailed, auth.ChallengeExpired,
		auth.ChallengeCancelled, auth.ChallengeCollected,
	}
	events := []auth.ChallengeEvent{auth.ChallengeIsCollected}
	for e := range moves {
		events = append(events, e)
	}
	for _, from := range all {
		for _, e := range events {
			want, allowed := from, false
			if to, ok := moves[e]; ok && from == auth.ChallengePending {
				want, allowed = to, true
			}
			if from == auth.ChallengeApproved && e == auth.ChallengeIsCollected {
				want, allowed = auth.ChallengeCollected, true
			}
			if got, ok := from.Next(e); got != want || ok != allowed {
				t.Errorf("%s %s: got %s %t, want %s %t", from, e, got, ok, want, allowed)
			}
		}
	}
}

func TestLinkStatusMoves(t *testing.T) {
	t.Parallel()
	for _, from := range []auth.LinkStatus{auth.LinkPending, auth.LinkConfirmed, auth.LinkFailed, auth.LinkExempt} {
		for e, to := range map[auth.LinkEvent]auth.LinkStatus{auth.LinkIsConfirmed: auth.LinkConfirmed, auth.LinkIsFailed: auth.LinkFailed} {
			want, allowed := from, false
			if from == auth.LinkPending {
				want, allowed = to, true
			}
			if got, ok := from.Next(e); got != want || ok != allowed {
				t.Errorf("%s %s: got %s %t, want %s %t", from, e, got, ok, want, allowed)
			}
		}
	}
}
