package sandbox

import (
	"bytes"
	"crypto/sha256"
	_ "embed"
	"encoding/base64"
	"fmt"
	"html/template"
	"net/http"
	"strings"
	"time"
)

//go:embed page.html
var pageText string

//go:embed page.css
var pageStyle string

// pages are what people see. They work without JavaScript, and their policy lets nothing in but their own style and forms.
type pages struct {
	template *template.Template
	policy   string
}

func newPages() (pages, error) {
	t, err := template.New("").Parse(pageText)
	if err != nil {
		return pages{}, fmt.Errorf("parse page.html: %w", err)
	}
	hash := sha256.Sum256([]byte(pageStyle))
	return pages{t, "default-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'; style-src 'sha256-" +
		base64.StdEncoding.EncodeToString(hash[:]) + "'"}, nil
}

// wantsPage reports whether a request comes from a browser. What takes anything, or does not say, gets JSON.
func wantsPage(r *http.Request) bool {
	return strings.Contains(strings.ToLower(strings.Join(r.Header.Values("Accept"), ",")), "text/html")
}

// frame is what every page is made of.
type frame struct {
	Title string
	Style template.CSS
	Again string // address to load again every few seconds; empty: the reader did not ask for that
	Other string // address of the same page that does, or does not
}

type inboxPage struct {
	Frame    frame
	To       string
	Messages []inboxItem
}

type devicesPage struct {
	Frame  frame
	Owners []deviceOwner
}

type ticketPage struct {
	Frame frame
	Link  string
	QR    template.HTML // our own drawing
	Local bool          // no other machine can open the link
}

type loginPage struct {
	Frame  frame
	Number string
}

type phonePage struct {
	Frame    frame
	Late     bool // the last press came too late
	Requests []phoneView
}

type phoneView struct {
	phoneRequest
	Left string // until it expires
	What string // it is about
}

func (p pages) inbox(c *call, to string, list []inboxItem) error {
	return p.write(c, "inbox", inboxPage{p.frame(c, "Inbox"), to, list})
}

func (p pages) phone(c *call, now time.Time, list []phoneRequest) error {
	views := make([]phoneView, len(list))
	for i, r := range list {
		views[i] = phoneView{r, r.ExpiresAt.Sub(now).Round(time.Second).String(), purposeText(r.Purpose)}
	}
	return p.write(c, "phone", phonePage{p.frame(c, "Phone"), c.r.URL.Query().Get("late") == "true", views})
}

// still is the frame of a page that never loads itself again.
func (p pages) still(title string) frame { return frame{Title: title, Style: template.CSS(pageStyle)} }

// frame decides whether the page loads itself again: when its reader asks for that, since whoever reads slowly or by ear must not be
// interrupted unasked (WCAG 2.2.1, failure F41).
func (p pages) frame(c *call, title string) frame {
	query := c.r.URL.Query()
	query.Del("late")
	asked := query.Get("refresh") == "on"
	query.Del("refresh")
	still := c.r.URL.Path + "?" + query.Encode()
	query.Set("refresh", "on")
	running := c.r.URL.Path + "?" + query.Encode()
	if asked {
		return frame{title, template.CSS(pageStyle), running, still}
	}
	return frame{title, template.CSS(pageStyle), "", running}
}

func purposeText(purpose string) string {
	switch purpose {
	case "login":
		return "Log in on another screen?"
	case "bind":
		return "Use this phone to approve?"
	case "confirm":
		return "Approve this?"
	case "step_up":
		return "Is this you, at work in the app?"
	}
	return "Approve?"
}

// write fills a template and answers with it, or with an error if that fails.
func (p pages) write(c *call, name string, data any) error {
	var text bytes.Buffer
	if err := p.template.ExecuteTemplate(&text, name, data); err != nil {
		return fmt.Errorf("write page %s: %w", name, err)
	}
	c.w.Header().Set("Content-Type", "text/html; charset=utf-8")
	c.w.Header().Set("Content-Security-Policy", p.policy)
	_, err := c.w.Write(text.Bytes())
	return err
}
