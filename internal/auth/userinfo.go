package auth

import (
	"context"
	"maps"
	"slices"
	"strings"
)

// maxUserInfo bounds what an access token says of UserInfo, in bytes: each call carries it. Claims beyond are left out, as OIDC Core §5.5.1
// lets us.
const maxUserInfo = 3072

// requestableUserInfo is requestable for what an access token carries.
func requestableUserInfo(requests []ClaimRequest) []string {
	kept, size := requestable(requests), 0
	for i, text := range kept {
		size += len(`"":{"fields":[]},`)
		for _, c := range []byte(text) {
			if size++; c < ' ' || c == '"' || c == '\\' {
				size += len(`\u001f`) - 1
			}
		}
		if size > maxUserInfo {
			return kept[:i]
		}
	}
	return kept
}

// userInfoClaim writes what UserInfo is asked for as OIDC Core §5.5 does, so that the access token says it by itself.
func userInfoClaim(kept []string) map[string]any {
	claim := make(map[string]any, len(kept))
	for _, text := range kept {
		request := parseClaimRequest(text)
		claim[request.Name] = nil
		if len(request.Fields) > 0 {
			claim[request.Name] = map[string]any{"fields": request.Fields}
		}
	}
	return claim
}

// asked reads it back.
func (t accessToken) asked() []ClaimRequest {
	claim, _ := t.claims[claimUserInfo].(map[string]any)
	var requests []ClaimRequest
	for _, name := range slices.Sorted(maps.Keys(claim)) {
		request := ClaimRequest{Name: name}
		if detail, ok := claim[name].(map[string]any); ok {
			fields, _ := detail["fields"].([]any)
			for _, f := range fields {
				if text, ok := f.(string); ok {
					request.Fields = append(request.Fields, text)
				}
			}
		}
		requests = append(requests, request)
	}
	return requests
}

func (t accessToken) scopes() []string {
	scope, _ := t.claims.String("scope")
	return strings.Fields(scope)
}

// scopeClaims are the claims that a scope stands for (OIDC Core §5.4).
func scopeClaims(scope string) []string {
	switch scope {
	case "email":
		return []string{"email", "email_verified"}
	case "phone":
		return []string{"phone_number", "phone_number_verified"}
	}
	return nil
}

// UserInfo returns the claims about the user of an access token that its scopes stand for, that the client asked for when the user
// authenticated, and that its client always gets; sub always (OIDC Core §5.3). They are as they stand now.
//
// Errors: CodeInvalidToken, which a lock of the user brings about as well (B-27); CodeProofInvalid, CodeInsufficientScope, CodeMaintenance, CodeThrottled.
func (s *Service) UserInfo(ctx context.Context, token string, via Via) (Actor, map[string]any, error) {
	by, t, err := s.userToken(ctx, token, DefaultAudience, via)
	if err != nil {
		return by, nil, err
	}
	if t.session == "" {
		if err := s.liveOwn(ctx, by, t); err != nil {
			return by, nil, err
		}
		return by, nil, refuse(CodeInsufficientScope)
	}
	now := s.now()
	live, err := s.liveToken(ctx, by, t, now)
	if err == nil {
		err = s.possessed(ctx, by, t, token)
	}
	if err == nil {
		err = s.chargeUser(by.Tenant, live.User.ID, now)
	}
	switch {
	case err != nil:
		return by, nil, err
	case now.Before(live.LockedUntil):
		return by, nil, refuse(CodeInvalidToken)
	case !slices.Contains(t.scopes(), "openid"):
		return by, nil, refuse(CodeInsufficientScope)
	}
	wanted := t.asked()
	for _, kept := range t.client.Claims {
		wanted = append(wanted, parseClaimRequest(kept))
	}
	for _, scope := range t.scopes() {
		wanted = append(wanted, named(scopeClaims(scope))...)
	}
	i := issuance{user: live.User, memberships: live.Memberships, session: live.Session, lastAuth: live.SucceededAt}
	i.own = s.ownRoles(t.client, i)
	claims := make(map[string]any, len(wanted)+1)
	for _, request := range wanted {
		if _, known := claims[request.Name]; known { // what is asked for by its fields comes first
			continue
		}
		if value, ok := i.claim(t.client, request.Name, request.Fields); ok {
			claims[request.Name] = value
		}
	}
	claims["sub"] = t.subject
	return by, claims, nil
}
