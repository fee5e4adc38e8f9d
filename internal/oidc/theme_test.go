package oidc_test

import (
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"html"
	"math"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"countersign/internal/auth"
	"countersign/internal/auth/authtest"
)

// pixel is a PNG of one pixel.
const pixel = "data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAQAAAC1HAwCAAAAC0lEQVR42mNkYAAAAAYAAjCB0C8AAAAASUVORK5CYII="

// ratio is the contrast of two colours by WCAG 2.2, reckoned here by itself.
func ratio(t *testing.T, a, b string) float64 {
	t.Helper()
	luminance := func(text string) float64 {
		sum := 0.0
		for i, weight := range []float64{0.2126, 0.7152, 0.0722} {
			n, err := strconv.ParseUint(text[1+2*i:3+2*i], 16, 8)
			if err != nil {
				t.Fatalf("%q is no colour", text)
			}
			v := float64(n) / 255
			if v > 0.04045 {
				v = math.Pow((v+0.055)/1.055, 2.4)
			} else {
				v /= 12.92
			}
			sum += weight * v
		}
		return sum
	}
	x, y := luminance(a)+0.05, luminance(b)+0.05
	return max(x, y) / min(x, y)
}

func themed(theme auth.Theme) func(*auth.Setup) {
	return authtest.Settings(func(s *auth.Settings) { s.Theme = theme })
}

// TestThemeCanBeRead: whatever colour a tenant chooses, text and buttons have the contrast of WCAG 2.2 AA on both backgrounds, the page's
// policy lets that style in and no other, and a colour that can be read stays as it is.
func TestThemeCanBeRead(t *testing.T) {
	t.Parallel()
	colors := []string{"#0b4f8a", "#ffff00", "#000000", "#ffffff", "#808080", "#ff0000", "#00ff00", "#0000ff", "#767676", "#777777", "#AbCdEf"}
	for i := range 40 {
		colors = append(colors, fmt.Sprintf("#%06x", i*419430+7919*i))
	}
	act := regexp.MustCompile(`--act: (#[0-9a-f]{6}); --on-act: (#[0-9a-f]{6}); }`)
	for _, c := range colors {
		page := serve(t, registered, themed(auth.Theme{Color: c})).browser(t).ask()
		style := html.UnescapeString(regexp.MustCompile(`(?s)<style>(.*)</style>`).FindStringSubmatch(page.Body.String())[1])
		got := act.FindAllStringSubmatch(style, -1)
		if len(got) != 2 {
			t.Fatalf("%s: got %d colours in %s", c, len(got), style)
		}
		for i, paper := range []string{"#ffffff", "#161616"} {
			if a, b := ratio(t, got[i][1], paper), ratio(t, got[i][1], got[i][2]); a < 4.5 || b < 4.5 {
				t.Errorf("%s: %s on %s has %.2f, %s on it %.2f", c, got[i][1], paper, a, got[i][2], b)
			}
		}
		if ratio(t, strings.ToLower(c), "#ffffff") >= 4.5 && got[0][1] != strings.ToLower(c) {
			t.Errorf("%s became %s", c, got[0][1])
		}
		sum := sha256.Sum256([]byte(style))
		policy := page.Header().Get("Content-Security-Policy")
		if want := "style-src 'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "';"; !strings.Contains(policy, want) || strings.Contains(policy, "img-src") {
			t.Errorf("%s: the policy is %s, want %s", c, policy, want)
		}
	}
}

// TestThemeOfATenant: name and logo are on its pages and on no other's; the logo is in the page, and comes from nowhere else.
func TestThemeOfATenant(t *testing.T) {
	t.Parallel()
	s := serve(t, registered, themed(auth.Theme{Name: "Bank <of> all", Logo: pixel}))
	page := s.browser(t).ask()
	wantPage(t, page, 200, `<p class="tenant">Bank &lt;of&gt; all</p>`)
	wantPage(t, page, 200, `<img class="logo" alt="" src="data:image/png;base64,iVBOR`)
	if policy := page.Header().Get("Content-Security-Policy"); !strings.Contains(policy, "; img-src data:;") {
		t.Errorf("got the policy %s", policy)
	}
	out := s.browser(t).do("GET", "/cis/oidc/session/end?client_id=app", nil)
	wantPage(t, out, 200, "Bank &lt;of&gt; all")
	other := s.browser(t).ask("client_id", "rival-app")
	if body := other.Body.String(); strings.Contains(body, "<img") || strings.Contains(body, "Bank") {
		t.Errorf("another tenant's page: %s", body)
	}
}
