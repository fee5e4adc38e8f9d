package notify

import (
	"bytes"
	"embed"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"path"
	"regexp"
	"slices"
	"strings"
	"text/template"
	"time"

	"go.yaml.in/yaml/v3"

	"countersign/internal/auth"
)

//go:embed locale/*.yaml
var locales embed.FS

// textFile is the form of a file of words. A value in it is a text/template; docs/messages.md is its manual.
type textFile struct {
	Channels map[auth.Channel]string    `yaml:"channels"`
	Greeting string                     `yaml:"greeting"`
	Farewell string                     `yaml:"farewell"`
	Messages map[auth.Template]textForm `yaml:"messages"`
}

type textForm struct {
	SMS   string `yaml:"sms"`
	Email struct {
		Subject string `yaml:"subject"`
		Body    string `yaml:"body"`
	} `yaml:"email"`
	Push struct {
		Title string `yaml:"title"`
		Body  string `yaml:"body"`
	} `yaml:"push"`
}

func templates() []auth.Template {
	return []auth.Template{
		auth.TemplateStepUp, auth.TemplateBind, auth.TemplateConfirm, auth.TemplateRecovery, auth.TemplateVerifyEmail, auth.TemplateInvite,
		auth.TemplateLogin, auth.TemplateLoginLink, auth.TemplatePasswordChanged, auth.TemplateEmailChanged, auth.TemplatePhoneChanged,
		auth.TemplateBound, auth.TemplateUnbound,
	}
}

func channels() []auth.Channel {
	return []auth.Channel{auth.ChannelSMS, auth.ChannelEmail, auth.ChannelBiometric, auth.ChannelAuthy, auth.ChannelTOTP, auth.ChannelPasskey}
}

// maxTextFile bounds a file of words, in bytes.
const maxTextFile = 1 << 20

// ReadTexts returns the built-in words, and over them those of an operator's folder: LOCALE.yaml for all, BRAND/LOCALE.yaml for the users
// of a brand. A file need not have every text. dir may be nil.
//
// Every text is tried here, so that none fails when it is needed: one is refused that asks for what it may not mention, that leaves out
// the code, the service or what is approved, and an SMS that has a link. The error joins one for each.
func ReadTexts(dir fs.FS) (*Texts, error) {
	t := &Texts{sets: map[setKey]*words{}}
	sub, err := fs.Sub(locales, "locale")
	if err != nil {
		return nil, fmt.Errorf("read built-in texts: %w", err)
	}
	problems := t.readFolder(sub, ".", "")
	if dir == nil {
		return t, errors.Join(problems...)
	}
	problems = append(problems, t.readFolder(dir, ".", "")...)
	entries, err := fs.ReadDir(dir, ".")
	if err != nil {
		return nil, fmt.Errorf("read texts: %w", err)
	}
	brand := regexp.MustCompile(`^[a-zA-Z0-9]{1,25}$`) // as contract/multi has it
	for _, e := range entries {
		if !e.IsDir() || strings.HasPrefix(e.Name(), ".") {
			continue
		}
		if !brand.MatchString(e.Name()) {
			problems = append(problems, fmt.Errorf("%s: is no brand: letters and digits, at most 25", e.Name()))
			continue
		}
		problems = append(problems, t.readFolder(dir, e.Name(), e.Name())...)
	}
	return t, errors.Join(problems...)
}

func (t *Texts) readFolder(dir fs.FS, folder, brand string) []error {
	entries, err := fs.ReadDir(dir, folder)
	if err != nil {
		return []error{fmt.Errorf("read texts: %w", err)}
	}
	locale := regexp.MustCompile(`^[a-z]{2}(-[A-Z]{2})?\.yaml$`)
	var problems []error
	for _, e := range entries {
		name := path.Join(folder, e.Name())
		if e.IsDir() && brand == "" || strings.HasPrefix(e.Name(), ".") {
			continue
		}
		if !locale.MatchString(e.Name()) {
			problems = append(problems, fmt.Errorf("%s: is no file of words: want a locale, as en.yaml or fr-CH.yaml", name))
			continue
		}
		f, err := readTextFile(dir, name)
		if err != nil {
			problems = append(problems, err)
			continue
		}
		key := setKey{brand, strings.TrimSuffix(e.Name(), ".yaml")}
		if t.sets[key] == nil {
			t.sets[key] = &words{channels: map[auth.Channel]string{}, texts: map[textKey]*template.Template{}}
		}
		for _, err := range t.sets[key].add(f) {
			problems = append(problems, fmt.Errorf("%s: %w", name, err))
		}
	}
	return problems
}

func readTextFile(dir fs.FS, name string) (textFile, error) {
	var f textFile
	file, err := dir.Open(name)
	if err != nil {
		return f, fmt.Errorf("read texts: %w", err)
	}
	data, err := io.ReadAll(io.LimitReader(file, maxTextFile+1))
	if err = errors.Join(err, file.Close()); err != nil {
		return f, fmt.Errorf("read texts: %w", err)
	}
	if len(data) > maxTextFile {
		return f, fmt.Errorf("%s: is larger than %d bytes", name, maxTextFile)
	}
	d := yaml.NewDecoder(bytes.NewReader(data))
	d.KnownFields(true)
	if err := d.Decode(&f); err != nil && !errors.Is(err, io.EOF) {
		return f, fmt.Errorf("%s: %s", name, strings.TrimPrefix(err.Error(), "yaml: "))
	}
	if err := d.Decode(new(yaml.Node)); !errors.Is(err, io.EOF) {
		return f, fmt.Errorf("%s: has a second document; one is allowed", name)
	}
	return f, nil
}

// add puts the texts of a file over those that are there.
func (w *words) add(f textFile) []error {
	var problems []error
	put := func(t auth.Template, p part, source string) {
		if source == "" {
			return
		}
		parsed, err := parseText(t, p, source)
		if err != nil {
			problems = append(problems, fmt.Errorf("%s: %w", strings.Trim(string(t)+" "+string(p), " "), err))
			return
		}
		w.texts[textKey{t, p}] = parsed
	}
	for _, c := range slices.Sorted(maps.Keys(f.Channels)) {
		if !slices.Contains(channels(), c) {
			problems = append(problems, fmt.Errorf("channels: %q is no channel; allowed: %v", c, channels()))
			continue
		}
		w.channels[c] = clean(f.Channels[c])
	}
	put("", partGreeting, f.Greeting)
	put("", partFarewell, f.Farewell)
	for _, t := range slices.Sorted(maps.Keys(f.Messages)) {
		if !slices.Contains(templates(), t) {
			problems = append(problems, fmt.Errorf("messages: %q is no message; allowed: %v", t, templates()))
			continue
		}
		form := f.Messages[t]
		put(t, partSMS, form.SMS)
		put(t, partSubject, form.Email.Subject)
		put(t, partBody, form.Email.Body)
		put(t, partPushTitle, form.Push.Title)
		put(t, partPushBody, form.Push.Body)
	}
	return problems
}

// parseText parses one text and tries it, with everything given and with nothing.
func parseText(t auth.Template, p part, source string) (*template.Template, error) {
	parsed, err := template.New("text").Option("missingkey=error").Parse(source)
	if err != nil {
		return nil, errors.New(strings.TrimPrefix(err.Error(), "template: "))
	}
	full := auth.Message{
		Template: t, Service: "Sample Service", Name: "Ada", Code: "402917", Link: "https://sample.example/?a=1", Digest: "9f86d081",
		Approve: []string{"EUR 12.50", "to Sample Payee"}, ExpiresAt: time.Unix(1_800_000_000, 0),
	}
	var said strings.Builder
	if err := parsed.Execute(&said, placeholders(full, p, "sample device")); err != nil {
		return nil, reasonOf(err)
	}
	if err := parsed.Execute(io.Discard, placeholders(auth.Message{Template: t}, p, "")); err != nil {
		return nil, reasonOf(err)
	}
	return parsed, checkSaid(full, p, said.String())
}

// checkSaid judges what a text makes of the sample.
func checkSaid(m auth.Message, p part, said string) error {
	if lower := strings.ToLower(said); p == partSMS && (strings.Contains(lower, "://") || strings.Contains(lower, "www.")) {
		return errors.New("has a link, which an SMS must not have")
	}
	var needed []string
	if p == partSMS {
		needed = append(needed, m.Service)
	}
	if isCoded(m.Template) && (p == partSMS || p == partBody) {
		needed = append(needed, m.Code)
		if m.Template == auth.TemplateConfirm {
			needed = append(append(needed, m.Approve...), m.Digest)
		}
	}
	for _, n := range needed {
		if !strings.Contains(said, n) {
			return fmt.Errorf("does not say %q of the sample: an SMS needs .Service, what has a code .Code, and confirm .Approve and .Digest", n)
		}
	}
	return nil
}

// reasonOf gives the refusal of text/template plain words.
func reasonOf(err error) error {
	text := err.Error()
	if _, key, found := strings.Cut(text, "map has no entry for key "); found {
		return fmt.Errorf("%s cannot be said here", strings.Trim(key, `"`))
	}
	return errors.New(strings.TrimPrefix(text, "template: "))
}
