// Package qr draws a text as a QR code (ISO/IEC 18004), in SVG.
//
// It owns the drawing alone: what is in the code, and who may see it, is its caller's.
package qr

import (
	"fmt"
	"image/color"
	"strconv"
	"strings"

	"github.com/boombuler/barcode"
	"github.com/boombuler/barcode/qr"
)

// quiet is the white border that readers need, in modules (§6.3.8).
const quiet = 4

// SVG returns the code of a text as an image: black on white, whatever surrounds it, since many readers take nothing else. It has no script,
// no style and no reference, so that it can stand in a page as well as in a data URL. It fails for texts of more than about 2,300 bytes.
func SVG(text string) (string, error) {
	code, err := qr.Encode(text, qr.M, qr.Auto)
	if err != nil {
		return "", fmt.Errorf("draw QR code: %w", err)
	}
	size := code.Bounds().Dx()
	var path strings.Builder
	for y := range size {
		for x := 0; x < size; x++ {
			run := 0
			for x+run < size && dark(code, x+run, y) {
				run++
			}
			if run > 0 {
				// A run of modules, one high, from left to right and back.
				fmt.Fprintf(&path, "M%d %dh%dv1h-%dz", x+quiet, y+quiet, run, run)
				x += run
			}
		}
	}
	side := strconv.Itoa(size + 2*quiet)
	return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ` + side + ` ` + side + `" shape-rendering="crispEdges" role="img" ` +
		`aria-label="QR code"><path fill="#fff" d="M0 0h` + side + `v` + side + `H0z"/><path fill="#000" d="` + path.String() + `"/></svg>`, nil
}

func dark(code barcode.Barcode, x, y int) bool {
	r, _, _, _ := code.At(x, y).RGBA()
	black, _, _, _ := color.Black.RGBA()
	return r == black
}
