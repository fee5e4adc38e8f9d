package cis

import (
	"net/http"
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"countersign/internal/auth"
	"countersign/internal/seal"
)

type name struct {
	Title      string `json:"title,omitempty"`
	FirstName  string `json:"first_name,omitempty"`
	MiddleName string `json:"middle_name,omitempty"`
	LastName   string `json:"last_name,omitempty"`
}

type address struct {
	Country       string `json:"country,omitempty"`
	State         string `json:"state,omitempty"`
	City          string `json:"city,omitempty"`
	StreetAddress string `json:"street_address,omitempty"`
	PostalCode    string `json:"postal_code,omitempty"`
	Type          string `json:"type,omitempty"`
}

type credentials struct {
	Password     seal.Secret `json:"password"`
	ForceReplace *bool       `json:"force_replace"`
}

// temporary is the contract's default: a password that somebody else chose has to be replaced.
func temporary(forceReplace *bool) bool { return forceReplace == nil || *forceReplace }

type createUserRequest struct {
	Email                 string         `json:"email"`
	PhoneNumber           string         `json:"phone_number"`
	Username              string         `json:"username"`
	SecondaryEmails       []string       `json:"secondary_emails"`
	SecondaryPhoneNumbers []string       `json:"secondary_phone_numbers"`
	Birthday              string         `json:"birthday"`
	Address               address        `json:"address"`
	Name                  name           `json:"name"`
	ExternalAccountID     string         `json:"external_account_id"`
	ExternalUserID        string         `json:"external_user_id"`
	CustomAppData         jsontext.Value `json:"custom_app_data"`
	CustomData            jsontext.Value `json:"custom_data"`
	Picture               string         `json:"picture"`
	Language              string         `json:"language"`
	Credentials           *credentials   `json:"credentials"`
}

func (a address) auth() auth.Address {
	return auth.Address{
		Country: a.Country, State: a.State, City: a.City, Street: a.StreetAddress, PostalCode: a.PostalCode, Type: a.Type,
	}
}

func (in createUserRequest) user() auth.NewUser {
	u := auth.NewUser{
		Email: in.Email, Phone: in.PhoneNumber, Username: in.Username,
		Profile: auth.Profile{
			Title: in.Name.Title, FirstName: in.Name.FirstName, MiddleName: in.Name.MiddleName, LastName: in.Name.LastName,
			Birthday: in.Birthday, Picture: in.Picture, Language: in.Language, Address: in.Address.auth(),
			ExternalUserID: in.ExternalUserID, ExternalAccountID: in.ExternalAccountID,
			SecondaryEmails: in.SecondaryEmails, SecondaryPhones: in.SecondaryPhoneNumbers,
			CustomData: objectText(in.CustomData), CustomAppData: objectText(in.CustomAppData),
		},
	}
	if c := in.Credentials; c != nil {
		u.Password = &auth.NewPassword{Value: c.Password, Temporary: temporary(c.ForceReplace)}
	}
	return u
}

// objectText keeps an object as it came; null is none.
func objectText(v jsontext.Value) string {
	if v.Kind() != '{' {
		return ""
	}
	return string(v)
}

// createUser is POST /v1/users of contract/cis §1.6.
func (a *API) createUser(c *call) error {
	var in createUserRequest
	if err := c.decode(&in); err != nil {
		return err
	}
	account, err := a.auth.CreateUser(c.r.Context(), c.by, in.user())
	if err != nil {
		return err
	}
	return c.w.JSON(http.StatusCreated, result{a.userOf(c, account)})
}

type result struct {
	Result any `json:"result"`
}

type emailValue struct {
	Value      string     `json:"value"`
	Verified   bool       `json:"email_verified"`
	VerifiedAt *time.Time `json:"verified_at,omitzero"`
}

type phoneValue struct {
	Value      string     `json:"value"`
	Verified   bool       `json:"phone_number_verified"`
	VerifiedAt *time.Time `json:"verified_at,omitzero"`
}

type passwordInformation struct {
	Expired   bool       `json:"expired"`
	Temporary bool       `json:"temporary"`
	UpdatedAt int64      `json:"updated_at"`
	ExpiresIn *time.Time `json:"expires_in,omitzero"` // a time, despite the contract's name for it
}

type apiUser struct {
	UserID                string               `json:"user_id"`
	Email                 *emailValue          `json:"email,omitzero"`
	PhoneNumber           *phoneValue          `json:"phone_number,omitzero"`
	SecondaryEmails       []emailValue         `json:"secondary_emails,omitempty"`
	SecondaryPhoneNumbers []phoneValue         `json:"secondary_phone_numbers,omitempty"`
	Username              string               `json:"username,omitempty"`
	Birthday              string               `json:"birthday,omitempty"`
	Address               address              `json:"address,omitzero"`
	Name                  name                 `json:"name,omitzero"`
	Status                string               `json:"status"`
	StatusChangedAt       *time.Time           `json:"status_changed_at,omitzero"`
	CreatedAt             int64                `json:"created_at"`
	UpdatedAt             int64                `json:"updated_at"`
	LastAuth              *time.Time           `json:"last_auth,omitzero"`
	ExternalAccountID     string               `json:"external_account_id,omitempty"`
	ExternalUserID        string               `json:"external_user_id,omitempty"`
	AppID                 string               `json:"app_id,omitempty"`
	AppName               string               `json:"app_name,omitempty"`
	CustomAppData         jsontext.Value       `json:"custom_app_data,omitzero"`
	CustomData            jsontext.Value       `json:"custom_data,omitzero"`
	Picture               string               `json:"picture,omitempty"`
	Language              string               `json:"language,omitempty"`
	PasswordInformation   *passwordInformation `json:"password_information,omitzero"`
}

// userOf is the contract's ApiUser: e-mail address and phone number are objects, times of creation are epoch milliseconds.
func (a *API) userOf(c *call, account auth.Account) apiUser {
	u, p := account.User, account.User.Profile
	client := a.auth.Client(c.by)
	out := apiUser{
		UserID: string(u.ID), Username: u.Username, Birthday: p.Birthday, Status: statusOf(u.Status),
		StatusChangedAt: timeOrNone(u.StatusChangedAt), CreatedAt: u.CreatedAt.UnixMilli(), UpdatedAt: u.UpdatedAt.UnixMilli(),
		LastAuth:          timeOrNone(account.Attempts.SucceededAt),
		ExternalAccountID: p.ExternalAccountID, ExternalUserID: p.ExternalUserID, AppID: string(client.AppID), AppName: client.AppName,
		CustomAppData: objectOrNone(p.CustomAppData), CustomData: objectOrNone(p.CustomData), Picture: p.Picture, Language: p.Language,
		Name: name{p.Title, p.FirstName, p.MiddleName, p.LastName},
		Address: address{
			p.Address.Country, p.Address.State, p.Address.City, p.Address.Street, p.Address.PostalCode, p.Address.Type,
		},
	}
	if u.Email != "" {
		out.Email = &emailValue{u.Email, !u.EmailVerifiedAt.IsZero(), timeOrNone(u.EmailVerifiedAt)}
	}
	if u.Phone != "" {
		out.PhoneNumber = &phoneValue{u.Phone, !u.PhoneVerifiedAt.IsZero(), timeOrNone(u.PhoneVerifiedAt)}
	}
	for _, v := range p.SecondaryEmails {
		at := verifiedAt(p, v)
		out.SecondaryEmails = append(out.SecondaryEmails, emailValue{v, at != nil, at})
	}
	for _, v := range p.SecondaryPhones {
		at := verifiedAt(p, v)
		out.SecondaryPhoneNumbers = append(out.SecondaryPhoneNumbers, phoneValue{v, at != nil, at})
	}
	if account.Password.Hash != "" {
		pw := a.auth.PasswordFor(c.by, account.Password)
		out.PasswordInformation = &passwordInformation{pw.Expired, pw.Temporary, pw.SetAt.UnixMilli(), timeOrNone(pw.ExpiresAt)}
	}
	return out
}

// verifiedAt is when a secondary address or number was found to be the user's; nil: it was not.
func verifiedAt(p auth.Profile, value string) *time.Time {
	for _, v := range p.SecondaryVerified {
		if v.Value == value {
			return timeOrNone(v.At)
		}
	}
	return nil
}

// objectOrNone is a kept object as it came; an empty text, which is no JSON, is none.
func objectOrNone(text string) jsontext.Value {
	if text == "" {
		return nil
	}
	return jsontext.Value(text)
}

func timeOrNone(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	return &t
}

func statusOf(s auth.UserStatus) string {
	switch s {
	case auth.UserPending:
		return "Pending"
	case auth.UserSuspended:
		return "Disabled"
	}
	return "Active"
}

// getUser is GET /v1/users/{user_id}.
func (a *API) getUser(c *call) error {
	if err := c.decode(nil); err != nil {
		return err
	}
	account, err := a.auth.User(c.r.Context(), c.by, auth.UserID(c.r.PathValue("user_id")))
	if err != nil {
		return err
	}
	return c.w.JSON(http.StatusOK, result{a.userOf(c, account)})
}

// userBy makes the handler that finds a user by the identifier in a path.
func userBy(kind auth.IdentifierKind, param string) func(*API, *call) error {
	return func(a *API, c *call) error {
		if err := c.decode(nil); err != nil {
			return err
		}
		account, err := a.auth.UserBy(c.r.Context(), c.by, kind, c.r.PathValue(param))
		if err != nil {
			return err
		}
		return c.w.JSON(http.StatusOK, result{a.userOf(c, account)})
	}
}
