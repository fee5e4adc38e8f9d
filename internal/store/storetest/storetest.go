// Package storetest holds what every auth.Store must do, as a test that runs
// on each database. The contract itself is written at the interface, in package
// auth; this is its proof.
package storetest

import (
	"context"
	"testing"

	"countersign/internal/auth"
)

// Run tests a store. open returns an empty one, which it closes when its test ends; it is called once for each part of the suite, and
// the parts run in parallel.
func Run(t *testing.T, open func(t *testing.T) auth.Store) {
	for _, parts := range []map[string]part{ofAll(), ofSome()} {
		for name, part := range parts {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				part(t, open(t))
			})
		}
	}
}

// part is a part of the suite.
type part = func(*testing.T, auth.Store)

// ofAll is what is true of all verbs and transactions.
func ofAll() map[string]part {
	return map[string]part{
		"RoundTrip":              testRoundTrip,
		"RaisedMeta":             testRaisedMeta,
		"RoundTripOfZeroValues":  testZeroValues,
		"NotFound":               testNotFound,
		"Nothing":                testNothing,
		"Exists":                 testExists,
		"Ending":                 testEnding,
		"HalfDoneVerb":           testHalfDoneVerb,
		"Rollback":               testRollback,
		"RollbackOnPanic":        testPanic,
		"CancelledContext":       testCancelled,
		"DeadlineWhileWaiting":   testDeadline,
		"MoveOnce":               testMoveOnce,
		"LostUpdate":             testLostUpdate,
		"LostAttempts":           testLostAttempts,
		"WriteSkew":              testWriteSkew,
		"BusyUpdates":            testBusyUpdates,
		"Snapshot":               testSnapshot,
		"Order":                  testOrder,
		"Text":                   testText,
		"TextThatCannotBeStored": testBadText,
		"Time":                   testTime,
		"TenantsAreApart":        testTenants,
		"SweepDeletesWhatEnded":  testSweep,
		"SweepIsBounded":         testSweepBound,
		"SweepLinks":             testSweepLinks,
		"SweepKeepsEvents":       testSweepKeepsEvents,
		"SweepKeepsWhatIsOpen":   testSweepOpen,
		"Clear":                  testClear,
		"EmptyDirectory":         testEmptyDirectory,
	}
}

// ofSome is what some verbs do.
func ofSome() map[string]part {
	return map[string]part{
		"PutReplaces":      testPutReplaces,
		"Revision":         testRevision,
		"Accounts":         testAccounts,
		"Naming":           testNaming,
		"TouchMembership":  testTouchMembership,
		"PasswordChanges":  testPasswordChanges,
		"UserStatus":       testUserStatus,
		"HistoryEnds":      testPasswordHistoryEnds,
		"SessionMoves":     testSessionMoves,
		"RefreshFamily":    testRefreshFamily,
		"RevokedTokens":    testRevokedTokens,
		"RevokedUntil":     testRevokedUntil,
		"EventPages":       testEventPages,
		"ManyEvents":       testManyEvents,
		"PutUser":          testPutUser,
		"Users":            testUsers,
		"Counts":           testCounts,
		"Sealed":           testSealed,
		"Nobody":           testNobody,
		"DeleteUser":       testDeleteUser,
		"PutIdentity":      testPutIdentity,
		"People":           testPeople,
		"Authenticators":   testAuthenticators,
		"TOTPs":            testTOTPs,
		"Devices":          testDevices,
		"UserKeys":         testUserKeys,
		"UserKeyMoves":     testUserKeyMoves,
		"SpentChallenges":  testSpentChallenges,
		"Passkeys":         testPasskeys,
		"SessionsOf":       testSessionsOf,
		"Organizations":    testOrganizations,
		"Domains":          testDomains,
		"DropMembership":   testDropMembership,
		"RevokeRefreshOf":  testRevokeRefreshOf,
		"StepUp":           testStepUp,
		"Parties":          testParties,
		"Consents":         testConsents,
		"Logos":            testLogos,
		"EndSessionsOf":    testEndSessionsOf,
		"Challenges":       testChallenges,
		"ChallengeMoves":   testChallengeMoves,
		"CancelChallenges": testCancelChallenges,
		"CountPushed":      testCountPushed,
		"Links":            testLinks,
		"Answers":          testAnswers,
		"Outbox":           testOutbox,
		"OutboxOrder":      testOutboxOrder,
		"ClaimOnce":        testClaimOnce,
		"CountMessages":    testCountMessages,
		"Parcels":          testParcels,
		"SMSCounts":        testSMSCounts,
		"SMSCountsInRaces": testSMSRace,
	}
}

// view and write run fn in a transaction that must succeed.
func view(t *testing.T, s auth.Store, fn func(auth.Reads) error) {
	t.Helper()
	if err := s.View(t.Context(), fn); err != nil {
		t.Fatalf("view: %v", err)
	}
}

func write(t *testing.T, s auth.Store, fn func(auth.Writes) error) {
	t.Helper()
	if err := s.Write(t.Context(), fn); err != nil {
		t.Fatalf("write: %v", err)
	}
}

// read returns what one reading verb returns, which must succeed.
func read[T any](t *testing.T, s auth.Store, verb func(auth.Reads) (T, error)) T {
	t.Helper()
	var v T
	view(t, s, func(r auth.Reads) (err error) {
		v, err = verb(r)
		return err
	})
	return v
}

// move returns what one compare-and-swap returns, which must succeed.
func move(t *testing.T, s auth.Store, verb func(auth.Writes) (bool, error)) bool {
	t.Helper()
	var done bool
	write(t, s, func(w auth.Writes) (err error) {
		done, err = verb(w)
		return err
	})
	return done
}

// steps runs the steps until one fails.
func steps(all ...func() error) error {
	for _, step := range all {
		if err := step(); err != nil {
			return err
		}
	}
	return nil
}

// tries are the ways to write, which must agree on everything but isolation, and the wait for the disk.
func tries(s auth.Store) map[string]func(context.Context, func(auth.Writes) error) error {
	return map[string]func(context.Context, func(auth.Writes) error) error{
		"Update": func(ctx context.Context, fn func(auth.Writes) error) error {
			return s.Update(ctx, func(tx auth.Tx) error { return fn(tx) })
		},
		"Write":         s.Write,
		"WriteUnsynced": s.WriteUnsynced,
	}
}
