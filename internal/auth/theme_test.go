package auth_test

import (
	"bytes"
	"encoding/base64"
	"errors"
	"image"
	"image/jpeg"
	"image/png"
	"net/http"
	"strings"
	"testing"

	"countersign/internal/auth"
)

// TestLogo: a logo is a whole image of the kind that it says, within bounds; whatever else a page could be made to carry is refused.
func TestLogo(t *testing.T) {
	t.Parallel()
	picture := func(side int) image.Image { return image.NewGray(image.Rect(0, 0, side, side)) }
	var small, large, photo bytes.Buffer
	for _, err := range []error{png.Encode(&small, picture(64)), png.Encode(&large, picture(1025)), jpeg.Encode(&photo, picture(64), nil)} {
		if err != nil {
			t.Fatal(err)
		}
	}
	const pngURI, jpegURI = "data:image/png;base64,", "data:image/jpeg;base64,"
	text := func(raw []byte) string { return base64.StdEncoding.EncodeToString(raw) }
	for name, tt := range map[string]struct {
		uri  string
		want string // empty: good
	}{
		"a PNG":                      {pngURI + text(small.Bytes()), ""},
		"a JPEG":                     {jpegURI + text(photo.Bytes()), ""},
		"a JPEG as a PNG":            {pngURI + text(photo.Bytes()), "the image that it says"},
		"half of one":                {pngURI + text(small.Bytes()[:small.Len()/2]), "the image that it says"},
		"too large":                  {pngURI + text(large.Bytes()), "1024 pixels"},
		"too heavy":                  {pngURI + text(append(small.Bytes(), make([]byte, 25<<10)...)), "24576 bytes"},
		"a drawing, which can speak": {"data:image/svg+xml;base64," + text([]byte("<svg/>")), "must begin with"},
		"a page":                     {"data:text/html;base64," + text([]byte("<script>")), "must begin with"},
		"an address":                 {"https://evil.example/l.png", "must begin with"},
		"nothing":                    {"", "must begin with"},
		"no base64":                  {pngURI + "!!", "base64"},
		"a line break":               {pngURI + text(small.Bytes())[:8] + "\n" + text(small.Bytes())[8:], "base64"},
		"out of the attribute":       {pngURI + `"><script>`, "base64"},
	} {
		err := auth.CheckLogo(tt.uri)
		if (err == nil) != (tt.want == "") || err != nil && !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: got %v, want %q", name, err, tt.want)
		}
	}
}

// FuzzCheckLogo looks for a logo that panics, or is accepted and is more in a page than an image.
func FuzzCheckLogo(f *testing.F) {
	var small, photo bytes.Buffer
	if err := errors.Join(png.Encode(&small, image.NewGray(image.Rect(0, 0, 3, 2))), jpeg.Encode(&photo, image.NewGray(image.Rect(0, 0, 9, 9)), nil)); err != nil {
		f.Fatal(err)
	}
	for _, media := range []string{"image/png", "image/jpeg", "image/svg+xml"} {
		f.Add(media, small.Bytes())
		f.Add(media, photo.Bytes())
	}
	f.Fuzz(func(t *testing.T, media string, raw []byte) {
		uri := "data:" + media + ";base64," + base64.StdEncoding.EncodeToString(raw)
		if auth.CheckLogo(uri) != nil {
			return
		}
		if media != "image/png" && media != "image/jpeg" || len(raw) > 24<<10 {
			t.Errorf("%s of %d bytes is accepted", media, len(raw))
		}
		if kind := http.DetectContentType(raw); kind != media {
			t.Errorf("%s is accepted as %s", kind, media)
		}
	})
}
