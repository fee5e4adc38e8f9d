package qr_test

import (
	"encoding/xml"
	"fmt"
	"io"
	"regexp"
	"strings"
	"testing"

	"countersign/internal/qr"
)

// modules reads a drawing back: which modules are dark, without the quiet zone.
func modules(t *testing.T, svg string) [][]bool {
	t.Helper()
	var side int
	if _, err := fmt.Sscanf(regexp.MustCompile(`viewBox="0 0 (\d+)`).FindString(svg), `viewBox="0 0 %d`, &side); err != nil {
		t.Fatalf("%v in %.200s", err, svg)
	}
	size := side - 8
	dark := make([][]bool, size)
	for y := range dark {
		dark[y] = make([]bool, size)
	}
	for _, m := range regexp.MustCompile(`M\d+ \d+h\d+v1h-\d+z`).FindAllString(svg, -1) {
		var x, y, run, back int
		if _, err := fmt.Sscanf(m, "M%d %dh%dv1h-%dz", &x, &y, &run, &back); err != nil || run != back {
			t.Fatalf("%s: %v", m, err)
		}
		for i := range run {
			dark[y-4][x-4+i] = true
		}
	}
	return dark
}

// TestShape looks at what every code has, whatever is in it (ISO/IEC 18004 §6.3): three finders, the timing, and one dark module. That a
// reader of others reads it back is tested in a browser: internal/apitest/clients.
func TestShape(t *testing.T) {
	t.Parallel()
	finder := []string{"#######", "#.....#", "#.###.#", "#.###.#", "#.###.#", "#.....#", "#######"}
	for _, text := range []string{"1", "HTTPS://A.EXAMPLE/", "https://auth.example/authenticator#" + strings.Repeat("0aZ_-", 12), strings.Repeat("é", 300)} {
		svg, err := qr.SVG(text)
		if err != nil {
			t.Fatal(err)
		}
		dark := modules(t, svg)
		size := len(dark)
		if size < 21 || (size-21)%4 != 0 {
			t.Errorf("got %d modules", size)
		}
		for _, corner := range [][2]int{{0, 0}, {size - 7, 0}, {0, size - 7}} {
			for y, row := range finder {
				for x, c := range row {
					if dark[corner[1]+y][corner[0]+x] != (c == '#') {
						t.Fatalf("%.20s: no finder at %v", text, corner)
					}
				}
			}
		}
		for i := 8; i < size-8; i++ {
			if dark[6][i] != (i%2 == 0) || dark[i][6] != (i%2 == 0) {
				t.Fatalf("%.20s: no timing at %d", text, i)
			}
		}
		if !dark[size-8][8] {
			t.Errorf("%.20s: the dark module is not", text)
		}
		for d := xml.NewDecoder(strings.NewReader(svg)); ; {
			if _, err := d.Token(); err == io.EOF {
				break
			} else if err != nil {
				t.Fatalf("no XML: %v", err)
			}
		}
	}
}

// TestTooLong fails for what fits in no code, and does not draw a part of it.
func TestTooLong(t *testing.T) {
	t.Parallel()
	if svg, err := qr.SVG(strings.Repeat("a", 3000)); err == nil || svg != "" {
		t.Errorf("got %d bytes, %v", len(svg), err)
	}
}
