package store

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"countersign/internal/auth"
	"countersign/internal/store/sqlc"
)

// profile is auth.Profile as JSON.
type profile struct {
	Title             string   `json:"title,omitzero"`
	FirstName         string   `json:"first_name,omitzero"`
	MiddleName        string   `json:"middle_name,omitzero"`
	LastName          string   `json:"last_name,omitzero"`
	Birthday          string   `json:"birthday,omitzero"`
	Picture           string   `json:"picture,omitzero"`
	Language          string   `json:"language,omitzero"`
	Address           address  `json:"address,omitzero"`
	ExternalUserID    string   `json:"external_user_id,omitzero"`
	ExternalAccountID string   `json:"external_account_id,omitzero"`
	SecondaryEmails   []string `json:"secondary_emails,omitempty"`
	SecondaryPhones   []string `json:"secondary_phones,omitempty"`
	CustomData        string   `json:"custom_data,omitzero"`
	CustomAppData     string   `json:"custom_app_data,omitzero"`
	Residence         string   `json:"residence,omitzero"`
	Locale            string   `json:"locale,omitzero"`
	Brand             string   `json:"brand,omitzero"`
	Details           string   `json:"details,omitzero"`

	SecondaryVerified []verified    `json:"secondary_verified,omitempty"`
	Roles             []auth.RoleID `json:"roles,omitempty"`
}

// verified is auth.Verified as JSON.
type verified struct {
	Value string `json:"value"`
	At    int64  `json:"at"` // microseconds
}

// address is auth.Address as JSON.
type address struct {
	Country    string `json:"country,omitzero"`
	State      string `json:"state,omitzero"`
	City       string `json:"city,omitzero"`
	Street     string `json:"street,omitzero"`
	PostalCode string `json:"postal_code,omitzero"`
	Type       string `json:"type,omitzero"`
}

func toProfile(p auth.Profile) profile {
	var proved []verified
	for _, v := range p.SecondaryVerified {
		proved = append(proved, verified{v.Value, micros(v.At)})
	}
	return profile{
		Title:             p.Title,
		FirstName:         p.FirstName,
		MiddleName:        p.MiddleName,
		LastName:          p.LastName,
		Birthday:          p.Birthday,
		Picture:           p.Picture,
		Language:          p.Language,
		Address:           address(p.Address),
		ExternalUserID:    p.ExternalUserID,
		ExternalAccountID: p.ExternalAccountID,
		SecondaryEmails:   p.SecondaryEmails,
		SecondaryPhones:   p.SecondaryPhones,
		CustomData:        p.CustomData,
		CustomAppData:     p.CustomAppData,
		Residence:         p.Residence,
		Locale:            p.Locale,
		Brand:             p.Brand,
		Details:           p.Details,
		SecondaryVerified: proved,
		Roles:             p.Roles,
	}
}

func (p profile) auth() auth.Profile {
	var proved []auth.Verified
	for _, v := range p.SecondaryVerified {
		proved = append(proved, auth.Verified{Value: v.Value, At: moment(v.At)})
	}
	return auth.Profile{
		Title:             p.Title,
		FirstName:         p.FirstName,
		MiddleName:        p.MiddleName,
		LastName:          p.LastName,
		Birthday:          p.Birthday,
		Picture:           p.Picture,
		Language:          p.Language,
		Address:           auth.Address(p.Address),
		ExternalUserID:    p.ExternalUserID,
		ExternalAccountID: p.ExternalAccountID,
		SecondaryEmails:   p.SecondaryEmails,
		SecondaryPhones:   p.SecondaryPhones,
		CustomData:        p.CustomData,
		CustomAppData:     p.CustomAppData,
		Residence:         p.Residence,
		Locale:            p.Locale,
		Brand:             p.Brand,
		Details:           p.Details,
		SecondaryVerified: proved,
		Roles:             p.Roles,
	}
}

func user(row sqlc.User) (auth.User, error) {
	var p profile
	err := decode(row.Profile, &p)
	return auth.User{
		Tenant:          auth.TenantID(row.TenantID),
		ID:              auth.UserID(row.ID),
		Status:          auth.UserStatus(row.Status),
		StatusChangedAt: moment(row.StatusChangedAt),
		Epoch:           row.Epoch,
		Email:           row.Email,
		EmailVerifiedAt: moment(row.EmailVerifiedAt),
		Phone:           row.Phone,
		PhoneVerifiedAt: moment(row.PhoneVerifiedAt),
		Username:        row.Username,
		Profile:         p.auth(),
		CreatedAt:       moment(row.CreatedAt),
		UpdatedAt:       moment(row.UpdatedAt),
		EmailChangedAt:  moment(row.EmailChangedAt),
		PhoneChanges:    int(row.PhoneChanges),
		WeakenedAt:      moment(row.WeakenedAt),
		PhoneChangedAt:  moment(row.PhoneChangedAt),
	}, err
}

// AccountByIdentifier implements auth.Reads.
func (r reads) AccountByIdentifier(
	t auth.TenantID, kind auth.IdentifierKind, canonical string, phantom auth.Subject,
) (auth.Account, error) {
	if !storable(canonical) {
		kind, canonical = "", "" // which nobody has either; the phantom is looked up all the same
	}
	rows, err := r.q.AccountByIdentifier(r.ctx, sqlc.AccountByIdentifierParams{
		TenantID:  string(t),
		Kind:      string(kind),
		Canonical: canonical,
		Phantom:   string(phantom),
		StandIn:   standIn(phantom),
	})
	if err != nil {
		return auth.Account{}, r.h.fail(r.ctx, "read account", err)
	}
	a, err := account(t, rows)
	if err == nil && !rows[0].Found.Valid { // only now, after all the work that somebody would be
		a = auth.Account{Revision: a.Revision, Attempts: a.Attempts, Subject: phantom}
	}
	return a, err
}

// standIn is the id before that of whoever is read in a phantom's place: always the same, and anybody.
func standIn(phantom auth.Subject) string {
	_, hex, _ := strings.Cut(string(phantom), ":")
	digits := []byte(hex)
	for i, c := range digits {
		if digits[i] = '0' + c%10; i == 0 {
			digits[i] = '1' + c%9
		}
	}
	return string(digits)
}

// AccountByUser implements auth.Reads.
func (r reads) AccountByUser(t auth.TenantID, id auth.UserID) (auth.Account, error) {
	const verb = "read account"
	found, err := r.q.AccountByUser(r.ctx, sqlc.AccountByUserParams{TenantID: string(t), UserID: string(id)})
	if _, err := one(r, verb, found, err); err != nil {
		return auth.Account{}, err
	}
	rows := make([]sqlc.AccountByIdentifierRow, len(found))
	for i, f := range found {
		rows[i] = sqlc.AccountByIdentifierRow(f)
	}
	a, err := account(t, rows)
	if err == nil && !a.Found {
		err = fmt.Errorf("%s: %w", verb, auth.ErrNotFound)
	}
	return a, err
}

// account reads the rows of one user, one for each membership.
func account(t auth.TenantID, rows []sqlc.AccountByIdentifierRow) (auth.Account, error) {
	if len(rows) == 0 {
		return auth.Account{}, errors.New("read account: the directory row is missing")
	}
	row := rows[0]
	a := auth.Account{Revision: row.Revision, Attempts: attempts(sqlc.Attempt{
		Version:     row.AttemptsVersion.Int64,
		Failures:    row.Failures.Int64,
		Pending:     row.Pending.Int64,
		PendingAt:   row.PendingAt.Int64,
		FailedAt:    row.FailedAt.Int64,
		LockedUntil: row.LockedUntil.Int64,
		SucceededAt: row.SucceededAt.Int64,
		ExpiresAt:   row.AttemptsExpiresAt.Int64,
	})}
	if !row.UserID.Valid {
		return a, nil
	}
	a.Found = true
	a.Subject = auth.SubjectOf(auth.UserID(row.UserID.String))
	if row.PasswordVersion.Valid {
		a.Password = password(sqlc.Password{
			TenantID:  string(t),
			UserID:    row.UserID.String,
			Version:   row.PasswordVersion.Int64,
			Hash:      row.Hash.String,
			Shape:     row.Shape.String,
			SetAt:     row.SetAt.Int64,
			ExpiresAt: row.PasswordExpiresAt.Int64,
			Expired:   row.Expired.Bool,
			Temporary: row.Temporary.Bool,
		})
	}
	for _, m := range rows {
		ms, err := memberships(t, row.UserID.String, membershipColumns{
			m.IdentityType, m.IdentityID, m.Credential, m.Position, m.LastUsedAt, m.Roles, m.Tag, m.SuspendedAt, m.Member,
			m.IdentityName, m.IdentityProfile, m.Diligence, m.IdentityCreatedAt, m.IdentitySuspendedAt, m.Organization, m.Manager,
		})
		if err != nil {
			return auth.Account{}, fmt.Errorf("read account: %w", err)
		}
		a.Memberships = append(a.Memberships, ms...)
	}
	sortMemberships(a.Memberships)
	var err error
	if a.User, err = user(accountUser(t, row)); err != nil {
		return auth.Account{}, fmt.Errorf("read account: %w", err)
	}
	return a, nil
}

func accountUser(t auth.TenantID, row sqlc.AccountByIdentifierRow) sqlc.User {
	return sqlc.User{
		TenantID:        string(t),
		ID:              row.UserID.String,
		Status:          row.Status.String,
		StatusChangedAt: row.StatusChangedAt.Int64,
		Epoch:           row.Epoch.Int64,
		Email:           row.Email.String,
		EmailVerifiedAt: row.EmailVerifiedAt.Int64,
		Phone:           row.Phone.String,
		PhoneVerifiedAt: row.PhoneVerifiedAt.Int64,
		Username:        row.Username.String,
		Profile:         row.Profile.String,
		CreatedAt:       row.CreatedAt.Int64,
		UpdatedAt:       row.UpdatedAt.Int64,
		EmailChangedAt:  row.EmailChangedAt.Int64,
		PhoneChanges:    row.PhoneChanges.Int64,
		WeakenedAt:      row.WeakenedAt.Int64,
		PhoneChangedAt:  row.PhoneChangedAt.Int64,
	}
}

// AddUser implements auth.Writes.
func (w writes) AddUser(u auth.User, ids []auth.Identifier) error {
	const verb = "add user"
	p, err := encode(toProfile(u.Profile))
	if err != nil {
		return fmt.Errorf("%s: %w", verb, err)
	}
	n, err := w.q.AddUser(w.ctx, sqlc.AddUserParams{
		TenantID:        string(u.Tenant),
		ID:              string(u.ID),
		Status:          string(u.Status),
		StatusChangedAt: micros(u.StatusChangedAt),
		Epoch:           u.Epoch,
		Email:           u.Email,
		EmailVerifiedAt: micros(u.EmailVerifiedAt),
		Phone:           u.Phone,
		PhoneVerifiedAt: micros(u.PhoneVerifiedAt),
		Username:        u.Username,
		Profile:         p,
		CreatedAt:       micros(u.CreatedAt),
		UpdatedAt:       micros(u.UpdatedAt),
		EmailChangedAt:  micros(u.EmailChangedAt),
		PhoneChanges:    int64(u.PhoneChanges),
		WeakenedAt:      micros(u.WeakenedAt),
		PhoneChangedAt:  micros(u.PhoneChangedAt),
	})
	if err := w.added(verb, n, err); err != nil {
		return err
	}
	for _, id := range ids {
		if err := w.addIdentifier(id); err != nil {
			return err
		}
	}
	return w.raise(verb, u.Tenant, auth.Counts{Users: 1})
}

// PutUser implements auth.Writes. Identifiers that stay are not touched.
func (w writes) PutUser(u auth.User, ids []auth.Identifier) error {
	const verb = "put user"
	p, err := encode(toProfile(u.Profile))
	if err != nil {
		return fmt.Errorf("%s: %w", verb, err)
	}
	n, err := w.q.PutUser(w.ctx, sqlc.PutUserParams{
		TenantID:        string(u.Tenant),
		ID:              string(u.ID),
		Email:           u.Email,
		EmailVerifiedAt: micros(u.EmailVerifiedAt),
		Phone:           u.Phone,
		PhoneVerifiedAt: micros(u.PhoneVerifiedAt),
		Username:        u.Username,
		Profile:         p,
		CreatedAt:       micros(u.CreatedAt),
		UpdatedAt:       micros(u.UpdatedAt),
		EmailChangedAt:  micros(u.EmailChangedAt),
		PhoneChanges:    int64(u.PhoneChanges),
		WeakenedAt:      micros(u.WeakenedAt),
		PhoneChangedAt:  micros(u.PhoneChangedAt),
	})
	if err := w.replaced(verb, n, err); err != nil {
		return err
	}
	// Nobody else changes them meanwhile: the user's row is this transaction's now.
	had, err := w.q.IdentifiersOf(w.ctx, sqlc.IdentifiersOfParams{TenantID: string(u.Tenant), UserID: string(u.ID)})
	if err != nil {
		return w.h.fail(w.ctx, verb, err)
	}
	for _, old := range had {
		i := auth.Identifier{Tenant: u.Tenant, Kind: auth.IdentifierKind(old.Kind), Canonical: old.Canonical, User: u.ID}
		if at := slices.Index(ids, i); at >= 0 {
			ids = slices.Concat(ids[:at], ids[at+1:])
		} else if _, err := w.q.DropIdentifier(w.ctx, sqlc.DropIdentifierParams{
			TenantID: string(u.Tenant), Kind: old.Kind, Canonical: old.Canonical, UserID: string(u.ID),
		}); err != nil {
			return w.h.fail(w.ctx, verb, err)
		}
	}
	for _, i := range ids {
		if err := w.addIdentifier(i); err != nil {
			return err
		}
	}
	return nil
}

// addIdentifier is the later half of a verb, so its failure ends the transaction.
func (w writes) addIdentifier(id auth.Identifier) error {
	n, err := w.q.AddIdentifier(w.ctx, sqlc.AddIdentifierParams{
		TenantID:  string(id.Tenant),
		Kind:      string(id.Kind),
		Canonical: id.Canonical,
		UserID:    string(id.User),
	})
	if err := w.added("add identifier", n, err); err != nil {
		w.h.doom(err)
		return err
	}
	return nil
}

// NameUser implements auth.Writes.
func (w writes) NameUser(t auth.TenantID, id auth.UserID, username string, i auth.Identifier, at time.Time) (bool, error) {
	n, err := w.q.NameUser(w.ctx, sqlc.NameUserParams{TenantID: string(t), ID: string(id), Username: username, At: micros(at)})
	if ok, err := moved(w, "name user", n, err, w.hasUser(t, id)); !ok {
		return false, err
	}
	return true, w.addIdentifier(i)
}

// MoveUserStatus implements auth.Writes.
func (w writes) MoveUserStatus(t auth.TenantID, id auth.UserID, from, to auth.UserStatus, at time.Time) (bool, error) {
	n, err := w.q.MoveUserStatus(w.ctx, sqlc.MoveUserStatusParams{
		TenantID:   string(t),
		ID:         string(id),
		StatusFrom: string(from),
		StatusTo:   string(to),
		At:         micros(at),
	})
	return moved(w, "move user status", n, err, w.hasUser(t, id))
}

// ActivateUser implements auth.Writes.
func (w writes) ActivateUser(t auth.TenantID, id auth.UserID, at time.Time) (bool, error) {
	n, err := w.q.ActivateUser(w.ctx, sqlc.ActivateUserParams{TenantID: string(t), ID: string(id), At: micros(at)})
	return moved(w, "activate user", n, err, w.hasUser(t, id))
}

func (w writes) hasUser(t auth.TenantID, id auth.UserID) func() ([]string, error) {
	return func() ([]string, error) {
		return w.q.HasUser(w.ctx, sqlc.HasUserParams{TenantID: string(t), ID: string(id)})
	}
}
