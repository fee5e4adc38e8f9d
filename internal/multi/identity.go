package multi

import (
	"net/http"

	"github.com/go-json-experiment/json"

	"countersign/internal/auth"
)

type address struct {
	AddressLine1 string `json:"addressLine1,omitempty"`
	AddressLine2 string `json:"addressLine2,omitempty"`
	City         string `json:"city,omitempty"`
	PostCode     string `json:"postCode,omitempty"`
	State        string `json:"state,omitempty"`
	Country      string `json:"country"`
}

type company struct {
	Type                string   `json:"type,omitempty"`
	Name                string   `json:"name"`
	RegistrationCountry string   `json:"registrationCountry,omitempty"`
	RegistrationNumber  string   `json:"registrationNumber,omitempty"`
	BusinessAddress     *address `json:"businessAddress,omitzero"`
}

// keptOfIdentity is what we keep of an identity and never act on: auth.Identity.Details.
type keptOfIdentity struct {
	Tag                string   `json:"tag,omitempty"`
	Company            *company `json:"company,omitzero"`
	Industry           string   `json:"industry,omitempty"`
	SourceOfFunds      string   `json:"sourceOfFunds,omitempty"`
	SourceOfFundsOther string   `json:"sourceOfFundsOther,omitempty"`
	AcceptedTerms      *bool    `json:"acceptedTerms,omitzero"`
	IPAddress          string   `json:"ipAddress,omitempty"`
	BaseCurrency       string   `json:"baseCurrency,omitempty"`
	FeeGroup           string   `json:"feeGroup,omitempty"`
}

// keptOfPosition is the same, where the contract has it in the root user: a user may have another position in each company.
type keptOfPosition struct {
	CompanyPosition string `json:"companyPosition,omitempty"`
}

// keptOfRoot is what we keep of a root user and never act on: auth.Profile.Details.
type keptOfRoot struct {
	Address      *address `json:"address,omitzero"`
	PlaceOfBirth string   `json:"placeOfBirth,omitempty"`
	Nationality  string   `json:"nationality,omitempty"`
	Occupation   string   `json:"occupation,omitempty"`
}

// keep writes what is kept; a wire struct of ours always encodes.
func keep(v any) string {
	text, _ := json.Marshal(v, json.Deterministic(true))
	return string(text)
}

// kept reads it again. What is empty holds nothing.
func kept[T any](text string) (v T) {
	_ = json.Unmarshal([]byte(text), &v)
	return v
}

// keptText is all that Identity.Details holds.
type keptText struct {
	keptOfIdentity
	keptOfPosition
}

type rootRequest struct {
	personRequest
	keptOfPosition
	keptOfRoot
	Tag *string `json:"tag"`
}

type newIdentity struct {
	keptOfIdentity
	ProfileID string      `json:"profileId"`
	RootUser  rootRequest `json:"rootUser"`
}

// countries are those of a new identity, which have to be some.
func (in newIdentity) countries() []string {
	var all []string
	if in.Company != nil {
		all = append(all, in.Company.RegistrationCountry)
		if in.Company.BusinessAddress != nil {
			all = append(all, in.Company.BusinessAddress.Country)
		}
	}
	if in.RootUser.Address != nil {
		all = append(all, in.RootUser.Address.Country)
	}
	if in.RootUser.Nationality != "" {
		all = append(all, in.RootUser.Nationality)
	}
	return all
}

func (in newIdentity) identity(t auth.IdentityType) (auth.NewIdentity, error) {
	if t == auth.Consumer { // what the other type has is not described for this one, and so ignored
		in.Company, in.Industry, in.RootUser.keptOfPosition = nil, "", keptOfPosition{}
	} else {
		in.RootUser.keptOfRoot = keptOfRoot{}
	}
	root, err := in.RootUser.personRequest.fields("rootUser.")
	if err != nil {
		return auth.NewIdentity{}, err
	}
	root.Tag = in.RootUser.Tag
	root.Details = func(string) string { return keep(in.RootUser.keptOfRoot) }
	name := *in.RootUser.Name + " " + *in.RootUser.Surname
	if in.Company != nil {
		name = in.Company.Name
	}
	return auth.NewIdentity{
		Type: t, Name: name, Profile: in.ProfileID, Details: keep(keptText{in.keptOfIdentity, in.RootUser.keptOfPosition}), Root: root,
		Countries: in.countries(),
	}, nil
}

type rootReply struct {
	ID                   identityID `json:"id"`
	Name                 string     `json:"name"`
	Surname              string     `json:"surname"`
	Email                string     `json:"email,omitempty"`
	Mobile               *mobile    `json:"mobile,omitzero"`
	Active               bool       `json:"active"`
	EmailVerified        bool       `json:"emailVerified"`
	MobileNumberVerified bool       `json:"mobileNumberVerified"`
	DateOfBirth          *date      `json:"dateOfBirth,omitzero"`
	Tag                  string     `json:"tag,omitempty"`
	Locale               string     `json:"locale,omitempty"`
	Brand                string     `json:"brand,omitempty"`
	PasswordAlreadySet   *bool      `json:"passwordAlreadySet,omitzero"`
	keptOfPosition
	keptOfRoot
}

type identityReply struct {
	ID                identityID `json:"id"`
	ProfileID         string     `json:"profileId,omitempty"`
	RootUser          rootReply  `json:"rootUser"`
	CreationTimestamp int64      `json:"creationTimestamp"`
	keptOfIdentity
}

func identityReplyOf(o auth.Owned) identityReply {
	i, u := o.Identity, o.Root.User
	text := kept[keptText](i.Details)
	if i.Ref.Type == auth.Corporate && text.Company == nil { // of a starting state
		text.Company = &company{Name: i.Name}
	}
	return identityReply{
		ID: identityID{string(i.Ref.Type), i.Ref.ID}, ProfileID: i.Profile, CreationTimestamp: i.CreatedAt.UnixMilli(),
		keptOfIdentity: text.keptOfIdentity,
		RootUser: rootReply{
			ID: identityID{string(i.Ref.Type), string(u.ID)}, Name: u.Profile.FirstName, Surname: u.Profile.LastName, Email: u.Email,
			Mobile: mobileOf(u), Active: o.Root.Active(), EmailVerified: !u.EmailVerifiedAt.IsZero(),
			MobileNumberVerified: !u.PhoneVerifiedAt.IsZero(), DateOfBirth: dateOf(u.Profile.Birthday), Tag: o.Root.Membership.Tag,
			Locale: u.Profile.Locale, Brand: u.Profile.Brand, keptOfPosition: text.keptOfPosition, keptOfRoot: kept[keptOfRoot](u.Profile.Details),
		},
	}
}

func identityBody(o auth.Owned) any { return identityReplyOf(o) }

// newCorporateBody says besides whether a password is to be made.
func newCorporateBody(o auth.Owned) any {
	reply := identityReplyOf(o)
	reply.RootUser.PasswordAlreadySet = &o.PasswordSet
	return reply
}

// createCorporate is contract/multi §2.7.
func (a *API) createCorporate(c *call) error {
	return a.createIdentity(c, auth.Corporate, newCorporateBody)
}

// createConsumer is contract/multi §2.7.
func (a *API) createConsumer(c *call) error { return a.createIdentity(c, auth.Consumer, identityBody) }

func (a *API) createIdentity(c *call, t auth.IdentityType, body func(auth.Owned) any) error {
	var in newIdentity
	if err := c.decode(&in); err != nil {
		return err
	}
	fresh, err := in.identity(t)
	if err != nil {
		return err
	}
	o, err := a.auth.CreateIdentity(c.r.Context(), answering(c, body), fresh)
	if err != nil {
		return err
	}
	return c.w.JSON(http.StatusOK, body(o))
}

// corporate is contract/multi §2.7.
func (a *API) corporate(c *call) error { return a.ownIdentity(c, auth.Corporate) }

// consumer is contract/multi §2.7.
func (a *API) consumer(c *call) error { return a.ownIdentity(c, auth.Consumer) }

func (a *API) ownIdentity(c *call, t auth.IdentityType) error {
	if err := c.decode(nil); err != nil {
		return err
	}
	o, err := a.auth.OwnIdentity(c.r.Context(), c.by, c.bearer(), t)
	if err != nil {
		return err
	}
	return c.w.JSON(http.StatusOK, identityReplyOf(o))
}

type identityChange struct {
	personRequest
	Tag                *string  `json:"tag"`     // of the identity
	UserTag            *string  `json:"userTag"` // of its root user
	FeeGroup           *string  `json:"feeGroup"`
	Address            *address `json:"address"` // of a consumer
	ResetMobileCounter bool     `json:"resetMobileCounter"`
}

func (in identityChange) change(t auth.IdentityType) (auth.RootChange, error) {
	f, err := in.personRequest.fields("")
	if err != nil {
		return auth.RootChange{}, err
	}
	f.Tag = in.UserTag
	out := auth.RootChange{PersonFields: f, ForgetPhoneCount: in.ResetMobileCounter}
	if in.Tag != nil || in.FeeGroup != nil {
		out.Identity = func(former string) string {
			text := kept[keptText](former)
			if in.Tag != nil {
				text.Tag = *in.Tag
			}
			if in.FeeGroup != nil {
				text.FeeGroup = *in.FeeGroup
			}
			return keep(text)
		}
	}
	if in.Address != nil && t == auth.Consumer {
		out.Countries = []string{in.Address.Country}
		out.Details = func(former string) string {
			text := kept[keptOfRoot](former)
			text.Address = in.Address
			return keep(text)
		}
	}
	return out, nil
}

// changeCorporate is contract/multi §2.7.
func (a *API) changeCorporate(c *call) error { return a.changeIdentity(c, auth.Corporate) }

// changeConsumer is contract/multi §2.7.
func (a *API) changeConsumer(c *call) error { return a.changeIdentity(c, auth.Consumer) }

func (a *API) changeIdentity(c *call, t auth.IdentityType) error {
	var in identityChange
	if err := c.decode(&in); err != nil {
		return err
	}
	change, err := in.change(t)
	if err != nil {
		return err
	}
	o, err := a.auth.ChangeRoot(c.r.Context(), answering(c, identityBody), c.bearer(), t, change)
	if err != nil {
		return err
	}
	return c.w.JSON(http.StatusOK, identityReplyOf(o))
}
