package multi_test

import (
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"

	"countersign/api"
	"countersign/internal/httpx/httpxtest"
)

// matrix is the table of statuses of contract/multi §2.1: for each operation the statuses that the vendor declares besides 401, 500, 503
// and default, which every operation has. j and e are the success: 200 with a body, 204 without.
const matrix = `
POST /login_with_password                                 j 400 403 404 409 410 423 429
POST /login_via_biometrics                                j 400 403 409 423 429
GET /identities                                           j 400 403 404 409
POST /access_token                                        j 400 403 423 429
POST /logout                                              e 400 429
POST /stepup/challenges/otp/{channel}                     e 400 403 405 409 429
POST /stepup/challenges/otp/{channel}/verify              e 400 403 409 429
POST /stepup/challenges/push/{channel}                    j 400 403 405 409 429
GET /authentication_factors                               j 400 403 404 429
POST /authentication_factors/otp/{channel}                e 400 403 404 409 429
POST /authentication_factors/otp/{channel}/verify         e 400 403 404 409 429
POST /authentication_factors/push/{channel}               e 400 403 404 409 429
DELETE /authentication_factors/push/{channel}             e 400 403 404 409 429
POST /passwords/{user_id}/create                          j 400 403 404 409 410 429
POST /passwords/update                                    j 400 403 404 409 410 429
POST /passwords/validate                                  e 400 403 404 409 410 429
POST /passwords/lost_password/start                       e 400 403 404 409 429
POST /passwords/lost_password/resume                      j 400 403 404 409 410 429
POST /challenges/otp/{channel}                            j 400 403 405 409 429
POST /challenges/{scaChallengeId}/otp/{channel}/verify    e 400 403 409 429
POST /challenges/push/{channel}                           j 400 403 405 409 429
POST /users                                               j 400 403 404 409 429
GET /users                                                j 400 403 404 429
GET /users/{user_id}                                      j 400 403 404 429
PATCH /users/{user_id}                                    j 400 403 404 409 429
POST /users/{user_id}/invite                              e 400 403 404 409 429
POST /users/{user_id}/invite/validate                     e 400 403 404 409 429
POST /users/{user_id}/invite/consume                      j 400 403 404 409 410 429
POST /users/{user_id}/activate                            e 400 403 404 429
POST /users/{user_id}/deactivate                          e 400 403 404 429
POST /users/verification/email/send                       e 400 404 409 429
POST /users/verification/email/verify                     e 400 403 409 429
POST /users/kyc                                           j 400 403 404 409
POST /corporates                                          j 400 403 409 429
POST /consumers                                           j 400 403 409 429
GET /corporates                                           j 400 403 429
GET /consumers                                            j 400 403 429
PATCH /corporates                                         j 400 403 404 409 429
PATCH /consumers                                          j 400 403 409 429
POST /corporates/verification/email/send                  e 400 404 409 429
POST /consumers/verification/email/send                   e 400 403 409 429
POST /corporates/verification/email/verify                e 400 403 409 429
POST /consumers/verification/email/verify                 e 400 403 409 429
GET /roles                                                j 400 403 404 429
`

// notOurs are statuses of the matrix that we never send, by operation (* for all), and why. They are not declared.
func notOurs() map[string]string {
	const (
		tokenised = "concerns the vendor's tokenised passwords; ours are in clear"
		keyOnly   = "an API key may make this call, so there is nobody to refuse"
	)
	return map[string]string{
		"* 410":                                          tokenised,
		"POST /login_with_password 404":                  tokenised,
		"POST /passwords/update 404":                     tokenised,
		"POST /passwords/validate 404":                   tokenised,
		"POST /passwords/lost_password/start 403":        keyOnly,
		"POST /passwords/lost_password/resume 403":       keyOnly,
		"POST /passwords/lost_password/resume 404":       tokenised,
		"POST /users/{user_id}/invite/validate 403":      keyOnly,
		"POST /users/{user_id}/invite/consume 403":       keyOnly,
		"POST /users/verification/email/verify 403":      keyOnly,
		"POST /corporates 403":                           keyOnly,
		"POST /consumers 403":                            keyOnly,
		"POST /consumers/verification/email/send 403":    keyOnly,
		"POST /corporates/verification/email/verify 403": keyOnly,
		"POST /consumers/verification/email/verify 403":  keyOnly,
		"POST /passwords/validate 403":                   keyOnly,
	}
}

// TestStatusMatrix holds the document against the table: no operation is missing, none lacks a status, and none has one that neither the
// table nor the reasons of docs/multi.md know. 404 and 405 may be left to default, which has their form.
func TestStatusMatrix(t *testing.T) {
	t.Parallel()
	doc := httpxtest.Load(t, api.Multi())
	exempt, used := notOurs(), map[string]bool{}
	for line := range strings.Lines(strings.TrimSpace(matrix)) {
		fields := strings.Fields(line)
		method, path := fields[0], "/multi"+fields[1]
		item := doc.Paths.Find(path)
		if item == nil || item.GetOperation(method) == nil {
			t.Errorf("%s %s is not in the document", method, path)
			continue
		}
		op := item.GetOperation(method)
		want := []string{"401", "500", "503", "default", map[string]string{"j": "200", "e": "204"}[fields[2]]}
		for _, status := range fields[3:] {
			own, all := method+" "+fields[1]+" "+status, "* "+status
			if exempt[own] != "" || exempt[all] != "" {
				used[own], used[all] = true, true
				continue
			}
			want = append(want, status)
		}
		for _, status := range want {
			n, _ := strconv.Atoi(status)
			rest := n == http.StatusNotFound || n == http.StatusMethodNotAllowed
			if op.Responses.Value(status) == nil && !rest {
				t.Errorf("%s %s: %s is not declared", method, path, status)
			}
		}
		for status := range op.Responses.Map() {
			if status != "423" && status != "429" && !slices.Contains(want, status) { // a lock and a limit are told everywhere
				t.Errorf("%s %s: %s is declared and not in the table", method, path, status)
			}
		}
	}
	for name := range exempt {
		if !used[name] {
			t.Errorf("%s is exempt and not in the table", name)
		}
	}
}
