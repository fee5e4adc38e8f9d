package oidc

import (
	"fmt"
	"html/template"
	"math"
	"strconv"

	"countersign/internal/auth"
)

// papers are the backgrounds of login.css, in light and in dark.
const lightPaper, darkPaper = "#ffffff", "#161616"

// contrast is what text has to have against what is behind it (WCAG 2.2 §1.4.3).
const contrast = 4.5

// themed is the style of a page, with the tenant's colour where it has one. The colour is as it was chosen if it can be read on the page's
// background, and otherwise the nearest one of its kind that can; what stands on it is black or white, whichever can be read better.
func themed(t auth.Theme) template.CSS {
	chosen, ok := parseColor(t.Color)
	if !ok {
		return template.CSS(loginStyle)
	}
	light, dark := readable(chosen, lightPaper, black), readable(chosen, darkPaper, white)
	return template.CSS(loginStyle + fmt.Sprintf(
		":root { --act: %s; --on-act: %s; }\n@media (prefers-color-scheme: dark) { :root { --act: %s; --on-act: %s; } }\n",
		light, inkOn(light), dark, inkOn(dark),
	))
}

// color is red, green and blue, each 0 to 1.
type color [3]float64

func black() color { return color{0, 0, 0} }

func white() color { return color{1, 1, 1} }

// String is the colour as #rrggbb.
func (c color) String() string {
	return fmt.Sprintf("#%02x%02x%02x", int(math.Round(c[0]*255)), int(math.Round(c[1]*255)), int(math.Round(c[2]*255)))
}

// parseColor reads #rrggbb.
func parseColor(text string) (color, bool) {
	if len(text) != 7 || text[0] != '#' {
		return color{}, false
	}
	n, err := strconv.ParseUint(text[1:], 16, 32)
	return color{float64(n>>16) / 255, float64(n>>8&0xff) / 255, float64(n&0xff) / 255}, err == nil
}

// luminance is the relative luminance of WCAG 2.2.
func (c color) luminance() float64 {
	linear := func(v float64) float64 {
		if v <= 0.04045 {
			return v / 12.92
		}
		return math.Pow((v+0.055)/1.055, 2.4)
	}
	return 0.2126*linear(c[0]) + 0.7152*linear(c[1]) + 0.0722*linear(c[2])
}

// against is the contrast ratio of two colours, 1 to 21.
func (c color) against(other color) float64 {
	a, b := c.luminance(), other.luminance()
	return (max(a, b) + 0.05) / (min(a, b) + 0.05)
}

// readable moves a colour towards another in small steps until it can be read on paper.
func readable(c color, paper string, towards func() color) color {
	behind, _ := parseColor(paper)
	const steps = 64
	for i := range steps + 1 {
		share := float64(i) / steps
		var mixed color
		for k := range c {
			mixed[k] = c[k]*(1-share) + towards()[k]*share
		}
		rounded, _ := parseColor(mixed.String())
		if rounded.against(behind) >= contrast {
			return rounded
		}
	}
	return towards()
}

// inkOn is what can be read on a colour: of black and white one always can.
func inkOn(c color) color {
	if c.against(white()) >= c.against(black()) {
		return white()
	}
	return black()
}
