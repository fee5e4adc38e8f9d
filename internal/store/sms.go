package store

import (
	"time"

	"countersign/internal/auth"
	"countersign/internal/store/sqlc"
)

// smsPolicy is auth.SMSPolicy as JSON.
type smsPolicy struct {
	Number  []rateLimit `json:"number"`
	Country []rateLimit `json:"country"`
	Tenant  []rateLimit `json:"tenant"`
	Home    []string    `json:"home"`
	Sends   int         `json:"alarm_sends"`
	Percent int         `json:"alarm_percent"`

	CoolOff time.Duration `json:"cool_off"`
	CoolOwn bool          `json:"cool_own"`
	Alone   bool          `json:"recovers_alone"`
}

func toSMSPolicy(p auth.SMSPolicy) smsPolicy {
	return smsPolicy{
		Number: mapped(p.Number, toRateLimit), Country: mapped(p.Country, toRateLimit), Tenant: mapped(p.Tenant, toRateLimit), Home: p.Home,
		Sends: p.Alarm.Sends, Percent: p.Alarm.Percent, CoolOff: p.CoolOff, CoolOwn: p.CoolOwn, Alone: p.Alone,
	}
}

func (p smsPolicy) auth() auth.SMSPolicy {
	return auth.SMSPolicy{
		Number: mapped(p.Number, rateLimit.auth), Country: mapped(p.Country, rateLimit.auth), Tenant: mapped(p.Tenant, rateLimit.auth),
		Home: orNil(p.Home), Alarm: auth.SMSAlarm{Sends: p.Sends, Percent: p.Percent},
		CoolOff: p.CoolOff, CoolOwn: p.CoolOwn, Alone: p.Alone,
	}
}

// smsKey is what names a row of sms_counts.
type smsKey struct {
	tenant, scope, name    string
	shard, beganAt, endsAt int64
}

// SMSCounts implements auth.Reads.
func (r reads) SMSCounts(scope auth.SMSScope, since time.Time) ([]auth.SMSCount, error) {
	rows, err := r.q.SMSCounts(r.ctx, sqlc.SMSCountsParams{Scope: string(scope), Since: micros(since)})
	return list(r, "list SMS counts", rows, err, func(row sqlc.SMSCountsRow) (auth.SMSCount, error) {
		return auth.SMSCount{
			Tenant: auth.TenantID(row.TenantID), Scope: scope, Name: row.Name, BeganAt: moment(row.BeganAt), EndsAt: moment(row.EndsAt),
			Sent: int(row.Sent), Proved: int(row.Proved),
		}, nil
	})
}

// CountSMS implements auth.Writes. Which rows were taken is known by their keys, since databases return them in an order of their own.
func (w writes) CountSMS(counts ...auth.SMSCount) ([]bool, error) {
	if len(counts) == 0 {
		return nil, nil
	}
	const verb = "count SMS"
	into := insert{columns: 9, text: `-- name: CountSMS :many
INSERT INTO sms_counts (tenant_id, scope, name, shard, began_at, ends_at, sent, proved, allowed) VALUES`}
	args := make([]any, 0, len(counts)*into.columns)
	at := make(map[smsKey]int, len(counts))
	for i, c := range counts {
		k := smsKey{string(c.Tenant), string(c.Scope), c.Name, int64(c.Shard), micros(c.BeganAt), micros(c.EndsAt)}
		at[k] = i
		args = append(args, k.tenant, k.scope, k.name, k.shard, k.beganAt, k.endsAt, int64(c.Sent), int64(c.Proved), int64(c.Allowed))
	}
	rows, err := w.h.QueryContext(w.ctx, into.values(len(counts))+`
ON CONFLICT (tenant_id, scope, name, began_at, ends_at, shard) DO UPDATE
SET sent = sms_counts.sent + excluded.sent, proved = sms_counts.proved + excluded.proved
WHERE sms_counts.sent < excluded.allowed
RETURNING tenant_id, scope, name, shard, began_at, ends_at`, args...)
	if err != nil {
		return nil, w.h.fail(w.ctx, verb, err)
	}
	defer rows.Close()
	taken := make([]bool, len(counts))
	for rows.Next() {
		var k smsKey
		if err := rows.Scan(&k.tenant, &k.scope, &k.name, &k.shard, &k.beganAt, &k.endsAt); err != nil {
			return nil, w.h.fail(w.ctx, verb, err)
		}
		taken[at[k]] = true
	}
	return taken, w.h.fail(w.ctx, verb, rows.Err())
}
