package cis

import (
	"net/http"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"countersign/internal/auth"
)

type changeUserRequest struct {
	Email                 *string        `json:"email"`
	PhoneNumber           *string        `json:"phone_number"`
	Username              *string        `json:"username"`
	SecondaryEmails       *[]string      `json:"secondary_emails"`
	SecondaryPhoneNumbers *[]string      `json:"secondary_phone_numbers"`
	Birthday              *string        `json:"birthday"`
	Address               *address       `json:"address"`
	Name                  *name          `json:"name"`
	ExternalAccountID     *string        `json:"external_account_id"`
	ExternalUserID        *string        `json:"external_user_id"`
	CustomAppData         jsontext.Value `json:"custom_app_data"`
	CustomData            jsontext.Value `json:"custom_data"`
	Picture               *string        `json:"picture"`
	Language              *string        `json:"language"`
	Status                *string        `json:"status"`
}

func (in changeUserRequest) fields() auth.UserFields {
	f := auth.UserFields{Email: in.Email, Phone: in.PhoneNumber, Username: in.Username, Profile: in.edit}
	if in.Status != nil {
		status := auth.UserActive
		switch *in.Status {
		case "Disabled":
			status = auth.UserSuspended
		case "Pending":
			status = auth.UserPending
		}
		f.Status = &status
	}
	return f
}

// edit replaces what is given, objects and lists as a whole; custom_data alone is merged, member by member.
func (in changeUserRequest) edit(p *auth.Profile) {
	set(&p.SecondaryEmails, in.SecondaryEmails)
	set(&p.SecondaryPhones, in.SecondaryPhoneNumbers)
	set(&p.Birthday, in.Birthday)
	set(&p.ExternalAccountID, in.ExternalAccountID)
	set(&p.ExternalUserID, in.ExternalUserID)
	set(&p.Picture, in.Picture)
	set(&p.Language, in.Language)
	if in.Address != nil {
		p.Address = in.Address.auth()
	}
	if n := in.Name; n != nil {
		p.Title, p.FirstName, p.MiddleName, p.LastName = n.Title, n.FirstName, n.MiddleName, n.LastName
	}
	if text := objectText(in.CustomAppData); text != "" {
		p.CustomAppData = text
	}
	if text := objectText(in.CustomData); text != "" {
		p.CustomData = merged(p.CustomData, text)
	}
}

func set[T any](field, value *T) {
	if value != nil {
		*field = *value
	}
}

// merged is an object with the members of another in the place of its own: a shallow merge. Both are objects that were checked.
func merged(former, text string) string {
	all := map[string]jsontext.Value{}
	for _, object := range []string{former, text} {
		var members map[string]jsontext.Value
		if json.Unmarshal([]byte(object), &members) != nil {
			continue
		}
		for name, v := range members {
			all[name] = v
		}
	}
	out, err := json.Marshal(all, json.Deterministic(true))
	if err != nil {
		return text
	}
	return string(out)
}

func (c *call) userID() auth.UserID { return auth.UserID(c.r.PathValue("user_id")) }

// done answers a call that has nothing to say.
func (c *call) done(status int, err error) error {
	if err != nil {
		return err
	}
	c.w.Empty(status)
	return nil
}

// changeUser is PUT /v1/users/{user_id} of contract/cis §1.6.
func (a *API) changeUser(c *call) error {
	var in changeUserRequest
	if err := c.decode(&in); err != nil {
		return err
	}
	account, err := a.auth.ChangeUser(c.r.Context(), c.by, c.userID(), in.fields())
	if err != nil {
		return err
	}
	return c.w.JSON(http.StatusOK, result{a.userOf(c, account)})
}

// detachUser is DELETE /v1/users/{user_id}/apps.
func (a *API) detachUser(c *call) error {
	if err := c.decode(nil); err != nil {
		return err
	}
	return c.done(http.StatusNoContent, a.auth.DetachUser(c.r.Context(), c.by, c.userID()))
}

// deleteUser is DELETE /v1/manage/users/{user_id}.
func (a *API) deleteUser(c *call) error {
	if err := c.decode(nil); err != nil {
		return err
	}
	return c.done(http.StatusNoContent, a.auth.DeleteUser(c.r.Context(), c.by, c.userID()))
}

// dropContact makes the handler that takes a secondary address or number away.
func dropContact(kind auth.IdentifierKind, param string) func(*API, *call) error {
	return func(a *API, c *call) error {
		if err := c.decode(nil); err != nil {
			return err
		}
		return c.done(http.StatusNoContent, a.auth.DropContact(c.r.Context(), c.by, c.userID(), kind, c.r.PathValue(param)))
	}
}

type verifyContactRequest struct {
	ChangeToPrimary bool `json:"change_to_primary"`
}

// verifyContact makes the handler that notes an address or number to be the user's.
func verifyContact(kind auth.IdentifierKind, param string) func(*API, *call) error {
	return func(a *API, c *call) error {
		var in verifyContactRequest
		if err := c.decode(&in); err != nil {
			return err
		}
		value := c.r.PathValue(param)
		return c.done(http.StatusAccepted, a.auth.VerifyContact(c.r.Context(), c.by, c.userID(), kind, value, in.ChangeToPrimary))
	}
}

// listGroups is GET /v1/users/{user_id}/groups: of the groups that there are, which are none.
func (a *API) listGroups(c *call) error {
	if err := c.decode(nil); err != nil {
		return err
	}
	if _, err := a.auth.User(c.r.Context(), c.by, c.userID()); err != nil {
		return err
	}
	return c.w.JSON(http.StatusOK, result{[]struct{}{}})
}
