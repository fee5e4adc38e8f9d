package apitest

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"countersign/internal/webauthn/webauthntest"
)

// passkeyOrigin is where the page of the scripts' browsers is from, unless they say otherwise.
const passkeyOrigin = "http://localhost:3000"

// passkey lets an authenticator answer the options in the last answer.
func (s *script) passkey(denied bool, args []string) error {
	if err := arity(args, 3, 99); err != nil {
		return err
	}
	name := args[1]
	a := s.passkeys[name]
	if a == nil {
		a = webauthntest.New(passkeyOrigin)
		s.passkeys[name] = a
	}
	how, err := passkeyHow(a, args[3:])
	if err != nil {
		return err
	}
	if s.last == nil {
		return errors.New("there is no answer yet")
	}
	var started struct {
		Session string          `json:"webauthn_session_id"`
		Create  json.RawMessage `json:"credential_creation_options"`
		Get     json.RawMessage `json:"credential_request_options"`
	}
	if err := json.Unmarshal(s.last.body, &started); err != nil {
		return err
	}
	answer, options := a.Create, started.Create
	if args[2] == "get" {
		answer, options = a.Get, started.Get
	}
	if len(options) == 0 {
		return fmt.Errorf("the last answer has no options to %s", args[2])
	}
	result, err := answer(options, how.lie)
	if denied {
		if err == nil {
			return errors.New("the authenticator answered")
		}
		return nil
	}
	if err != nil {
		return err
	}
	text := how.encode(result, started.Session)
	s.secrets.add(text, fromPage)
	s.ts.Setenv(args[0], text)
	return nil
}

// passkeyAnswer is how an authenticator answers, and how the page encodes that.
type passkeyAnswer struct {
	lies   []func(*webauthntest.Answer)
	encode func(webauthntest.Result, string) string
}

func (p passkeyAnswer) lie(a *webauthntest.Answer) {
	for _, lie := range p.lies {
		lie(a)
	}
}

// passkeyHow reads the options of the command. Some set up the authenticator, for good; others are for this one answer.
func passkeyHow(a *webauthntest.Authenticator, args []string) (passkeyAnswer, error) {
	p := passkeyAnswer{encode: webauthntest.Result.Encode}
	for i := 0; i < len(args); i++ {
		value := ""
		if i+1 < len(args) {
			value = args[i+1]
		}
		lies, known := passkeyLies(value)[args[i]]
		set, sets := passkeySets(a)[args[i]]
		encode, encodes := passkeyForms()[args[i]]
		switch {
		case known:
			p.lies = append(p.lies, lies)
			i++
		case sets:
			set()
		case encodes:
			p.encode = encode
		case args[i] == "-alg":
			alg, err := strconv.ParseInt(value, 10, 64)
			if err != nil {
				return p, err
			}
			a.Alg = alg
			i++
		default:
			return p, fmt.Errorf("unknown option %s", args[i])
		}
	}
	return p, nil
}

// passkeyLies are options with a value, for one answer: what is signed instead.
func passkeyLies(value string) map[string]func(*webauthntest.Answer) {
	number, _ := strconv.ParseUint(value, 0, 32)
	id, _ := base64.RawURLEncoding.DecodeString(value)
	return map[string]func(*webauthntest.Answer){
		"-type":      func(a *webauthntest.Answer) { a.Type = value },
		"-challenge": func(a *webauthntest.Answer) { a.Challenge = value },
		"-origin":    func(a *webauthntest.Answer) { a.Origin = value },
		"-site":      func(a *webauthntest.Answer) { a.Site = value },
		"-flags":     func(a *webauthntest.Answer) { a.Flags = byte(number) },
		"-counter":   func(a *webauthntest.Answer) { a.Counter = uint32(number) },
		"-id":        func(a *webauthntest.Answer) { a.ID = id },
		"-handle":    func(a *webauthntest.Answer) { a.Handle = id },
		"-cross":     func(a *webauthntest.Answer) { a.CrossOrigin = value == "true" },
	}
}

// passkeySets are options without a value that set up the authenticator.
func passkeySets(a *webauthntest.Authenticator) map[string]func() {
	return map[string]func(){
		"-still":  func() { a.Still, a.Counter = true, 0 },
		"-synced": func() { a.Flags |= webauthntest.BackupEligible | webauthntest.BackedUp },
		"-usb":    func() { a.Attachment, a.Transports = "cross-platform", []string{"usb"} },
	}
}

// passkeyForms are options without a value: how the page encodes the result.
func passkeyForms() map[string]func(webauthntest.Result, string) string {
	return map[string]func(webauthntest.Result, string) string{
		"-url": func(r webauthntest.Result, session string) string {
			return base64.RawURLEncoding.EncodeToString([]byte(r.JSON(session)))
		},
		"-plain": func(r webauthntest.Result, session string) string {
			return strings.Trim(strconv.Quote(r.JSON(session)), `"`)
		},
		"-flat": func(r webauthntest.Result, session string) string {
			return base64.StdEncoding.EncodeToString([]byte(r.Flat(session)))
		},
		"-forged": func(r webauthntest.Result, session string) string {
			if r.Signature != nil {
				r.Signature[len(r.Signature)-1] ^= 1
			}
			return r.Encode(session)
		},
	}
}
