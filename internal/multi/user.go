package multi

import (
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"countersign/internal/auth"
	"countersign/internal/httpx"
)

type mobile struct {
	CountryCode string `json:"countryCode"`
	Number      string `json:"number"`
}

type date struct {
	Year  int `json:"year"`
	Month int `json:"month"`
	Day   int `json:"day"`
}

// text is the date as the domain keeps it; false when there is no such day.
func (d date) text() (string, bool) {
	day := time.Date(d.Year, time.Month(d.Month), d.Day, 0, 0, 0, 0, time.UTC)
	return day.Format(time.DateOnly), day.Day() == d.Day
}

func dateOf(text string) *date {
	day, err := time.Parse(time.DateOnly, text)
	if err != nil {
		return nil
	}
	return &date{day.Year(), int(day.Month()), day.Day()}
}

func mobileOf(u auth.User) *mobile {
	p, ok := auth.SplitPhone(u.Phone)
	if !ok {
		return nil
	}
	return &mobile{p.Country, p.Number}
}

// personRequest is what users and root users have in common.
type personRequest struct {
	Name        *string `json:"name"`
	Surname     *string `json:"surname"`
	Email       *string `json:"email"`
	Mobile      *mobile `json:"mobile"`
	DateOfBirth *date   `json:"dateOfBirth"`
	Locale      *string `json:"locale"`
	Brand       *string `json:"brand"`
}

// fields are the same in the words of the domain. at is where the person stands in the body, with a dot behind it.
func (in personRequest) fields(at string) (auth.PersonFields, error) {
	f := auth.PersonFields{FirstName: in.Name, LastName: in.Surname, Email: in.Email, Locale: in.Locale, Brand: in.Brand}
	if m := in.Mobile; m != nil {
		f.Phone = &auth.PhoneNumber{Country: m.CountryCode, Number: m.Number}
	}
	if d := in.DateOfBirth; d != nil {
		text, ok := d.text()
		if !ok {
			field := httpx.Field{In: "body", Name: at + "dateOfBirth", Code: "REGEX", Params: []string{"date"}, Detail: "dateOfBirth is no day"}
			return f, &httpx.Invalid{Status: http.StatusBadRequest, Message: "the request is not valid", Fields: []httpx.Field{field}}
		}
		f.Birthday = &text
	}
	return f, nil
}

type userChange struct {
	personRequest
	Tag   *string   `json:"tag"`
	Roles *[]string `json:"roles"`
}

func (in userChange) fields() (auth.PersonFields, error) {
	f, err := in.personRequest.fields("")
	f.Tag, f.Roles = in.Tag, in.Roles
	return f, err
}

type newUser struct {
	userChange
	CountryOfResidence *string `json:"countryOfResidence"`
}

type userReply struct {
	ID                 string     `json:"id"`
	Identity           identityID `json:"identity"`
	Name               string     `json:"name"`
	Surname            string     `json:"surname"`
	Email              string     `json:"email,omitempty"`
	Mobile             *mobile    `json:"mobile,omitzero"`
	Active             bool       `json:"active"`
	DateOfBirth        *date      `json:"dateOfBirth,omitzero"`
	Tag                string     `json:"tag,omitempty"`
	CountryOfResidence string     `json:"countryOfResidence,omitempty"`
	Locale             string     `json:"locale,omitempty"`
	Brand              string     `json:"brand,omitempty"`
	Roles              []string   `json:"roles"`
}

func userOf(p auth.Person) any {
	u, roles := p.User, []string{}
	for _, r := range p.Membership.Roles {
		roles = append(roles, string(r))
	}
	return userReply{
		ID: string(u.ID), Identity: *identityOf(p.Membership), Name: u.Profile.FirstName, Surname: u.Profile.LastName, Email: u.Email,
		Mobile: mobileOf(u), Active: p.Active(), DateOfBirth: dateOf(u.Profile.Birthday), Tag: p.Membership.Tag,
		CountryOfResidence: u.Profile.Residence, Locale: u.Profile.Locale, Brand: u.Profile.Brand, Roles: roles,
	}
}

// userID is the user in the path.
func (c *call) userID() auth.UserID { return auth.UserID(c.r.PathValue("user_id")) }

// createUser is contract/multi §2.6.
func (a *API) createUser(c *call) error {
	var in newUser
	if err := c.decode(&in); err != nil {
		return err
	}
	f, err := in.fields()
	if err != nil {
		return err
	}
	f.Residence = in.CountryOfResidence
	p, err := a.auth.AddMember(c.r.Context(), answering(c, userOf), c.bearer(), f)
	if err != nil {
		return err
	}
	return c.w.JSON(http.StatusOK, userOf(p))
}

type usersReply struct {
	Users         []any `json:"users"`
	Count         int   `json:"count"`
	ResponseCount int   `json:"responseCount"`
}

// users is contract/multi §2.6.
func (a *API) users(c *call) error {
	if err := c.decode(nil); err != nil {
		return err
	}
	people, count, err := a.auth.Members(c.r.Context(), c.by, c.bearer(), personFilter(c.r.URL.Query()))
	if err != nil {
		return err
	}
	reply := usersReply{[]any{}, count, len(people)}
	for _, p := range people {
		reply.Users = append(reply.Users, userOf(p))
	}
	return c.w.JSON(http.StatusOK, reply)
}

// personFilter reads a query that the document has checked.
func personFilter(q url.Values) auth.PersonFilter {
	f := auth.PersonFilter{Limit: maxPage, Email: q.Get("email"), Tag: q.Get("tag")}
	if n, err := strconv.Atoi(q.Get("limit")); err == nil {
		f.Limit = n
	}
	f.Offset, _ = strconv.Atoi(q.Get("offset"))
	if active, err := strconv.ParseBool(q.Get("active")); err == nil {
		f.Active = &active
	}
	for _, text := range q["roles"] {
		role, known := auth.RoleNamed(text)
		if !known {
			role = auth.Role(text) // which nobody has
		}
		f.Roles = append(f.Roles, role)
	}
	return f
}

// user is contract/multi §2.6.
func (a *API) user(c *call) error {
	if err := c.decode(nil); err != nil {
		return err
	}
	p, err := a.auth.Member(c.r.Context(), c.by, c.bearer(), c.userID())
	if err != nil {
		return err
	}
	return c.w.JSON(http.StatusOK, userOf(p))
}

// changeUser is contract/multi §2.6.
func (a *API) changeUser(c *call) error {
	var in userChange
	if err := c.decode(&in); err != nil {
		return err
	}
	f, err := in.fields()
	if err != nil {
		return err
	}
	p, err := a.auth.ChangeMember(c.r.Context(), answering(c, userOf), c.bearer(), c.userID(), f)
	if err != nil {
		return err
	}
	return c.w.JSON(http.StatusOK, userOf(p))
}

// activateUser is contract/multi §2.6.
func (a *API) activateUser(c *call) error {
	if err := c.decode(nil); err != nil {
		return err
	}
	return c.done(a.auth.ActivateMember(c.r.Context(), c.by, c.bearer(), c.userID()))
}

// deactivateUser is contract/multi §2.6.
func (a *API) deactivateUser(c *call) error {
	if err := c.decode(nil); err != nil {
		return err
	}
	return c.done(a.auth.DeactivateMember(c.r.Context(), c.by, c.bearer(), c.userID()))
}

type roleReply struct {
	ID          string `json:"id"`
	Name        string `json:"name"`
	Description string `json:"description"`
}

// roles is contract/multi §2.6.
func (a *API) roles(c *call) error {
	if err := c.decode(nil); err != nil {
		return err
	}
	roles, err := a.auth.MemberRoles(c.r.Context(), c.by, c.bearer())
	if err != nil {
		return err
	}
	reply := []roleReply{}
	for _, r := range roles {
		reply = append(reply, roleReply{r.ID(), string(r), describe(r)})
	}
	return c.w.JSON(http.StatusOK, reply)
}

// describe says what a role is for. What it allows of accounts and cards is the embedder's to enforce.
func describe(r auth.Role) string {
	switch r {
	case auth.RoleCardAssignee:
		return "Uses the cards that are assigned to them"
	case auth.RoleCardsManagement:
		return "Manages cards"
	case auth.RoleFundsManagement:
		return "Manages accounts and moves funds"
	case auth.RoleAccessManagement:
		return "Manages users and what they may do, but for administrators"
	case auth.RoleAdmin:
		return "Does everything that a root user may, but for taking this role away"
	}
	return fmt.Sprintf("The role %s", r)
}

type kycReply struct {
	Reference string `json:"reference"`
}

// startKYC is contract/multi §2.6.
func (a *API) startKYC(c *call) error {
	if err := c.decode(nil); err != nil {
		return err
	}
	reference, err := a.auth.AskDiligence(c.r.Context(), c.by, c.bearer())
	if err != nil {
		return err
	}
	return c.w.JSON(http.StatusOK, kycReply{reference})
}
