package auth

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/gob"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"time"
)

// PushedRequest is an authorization request that its client sent by itself, ahead of the user's browser (RFC 9126).
type PushedRequest struct {
	Tenant    TenantID
	Hash      TokenHash // of the secret in its URI
	Client    ClientID
	Sealed    []byte // the request
	CreatedAt time.Time
	ExpiresAt time.Time
	UsedAt    time.Time // zero: not used
}

// PushedFor is the life of a pushed request (contract/cis §1.5).
const PushedFor = time.Minute

// pushedURN is what the URI of a pushed request begins with (RFC 9126 §2.2).
const pushedURN = "urn:ietf:params:oauth:request_uri:"

func (p PushedRequest) place() string {
	return "pushed_requests/" + string(p.Tenant) + "/" + hex.EncodeToString(p.Hash[:])
}

// Push takes an authorization request from its client, checks all that can be checked without the user, and returns the URI that stands for
// it: for PushedFor, for this client, once.
//
// Errors: CodeRedirectInvalid, and those of Authorize that tell of the request.
func (s *Service) Push(ctx context.Context, by Actor, in AuthorizationRequest) (uri string, err error) {
	if in.Client != by.Client {
		return "", refuseField(CodeRequestInvalid, "client_id")
	}
	client, err := s.redirectClient(ctx, in.Client, in.RedirectURI)
	if err != nil {
		return "", err
	}
	if by.Holds != "" { // RFC 9449 §10.1
		if in.Key != "" && in.Key != by.Holds {
			return "", refuse(CodeProofInvalid)
		}
		in.Key = by.Holds
	}
	if err := in.check(client); err != nil {
		return "", err
	}
	var b bytes.Buffer
	if err := gob.NewEncoder(&b).Encode(in); err != nil {
		return "", fmt.Errorf("write pushed request: %w", err)
	}
	now := s.now()
	text, hash := s.newToken(sealPushed)
	p := PushedRequest{Tenant: by.Tenant, Hash: hash, Client: by.Client, CreatedAt: now, ExpiresAt: now.Add(PushedFor)}
	if p.Sealed, err = s.ring.Seal(p.place(), b.Bytes()); err != nil {
		return "", err
	}
	e := s.event(by, EventPushed, now)
	e.Note = in.scope()
	return pushedURN + text, s.store.Write(ctx, func(w Writes) error {
		if err := w.AddPushedRequest(p); err != nil {
			return err
		}
		return w.AddEvents(e)
	})
}

// Pushed returns the request that a URI stands for, this once. No other URI leads anywhere, and none is fetched.
//
// Error: CodePushedInvalid.
func (s *Service) Pushed(ctx context.Context, id ClientID, uri string) (AuthorizationRequest, error) {
	var in AuthorizationRequest
	text, ours := strings.CutPrefix(uri, pushedURN)
	secret, ok := s.openToken(sealPushed, text)
	if !ours || !ok {
		return in, refuse(CodePushedInvalid)
	}
	hash, now := TokenHash(sha256.Sum256(secret[:])), s.now()
	var p PushedRequest
	err := s.store.View(ctx, func(r Reads) (err error) { p, err = r.PushedRequest(hash); return err })
	if errors.Is(err, ErrNotFound) || err == nil && (p.Client != id || !p.UsedAt.IsZero() || !now.Before(p.ExpiresAt)) {
		return in, refuse(CodePushedInvalid)
	}
	if err != nil {
		return in, err
	}
	raw, err := s.ring.Open(p.place(), p.Sealed)
	if err != nil {
		return in, err
	}
	if err := gob.NewDecoder(bytes.NewReader(raw)).Decode(&in); err != nil {
		return in, &Error{Code: CodePushedInvalid, Cause: err} // of another version of ours
	}
	first := false
	err = s.store.Write(ctx, func(w Writes) (err error) { first, err = w.UsePushedRequest(hash, now); return err })
	if err == nil && !first {
		err = refuse(CodePushedInvalid)
	}
	in.pushed = true
	return in, err
}
