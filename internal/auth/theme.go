package auth

import (
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"image"
	"image/jpeg"
	"image/png"
	"strings"
)

// Theme is how a tenant's login page looks.
type Theme struct {
	Name  string // in the place of the tenant's
	Color string // of buttons, as #rrggbb; empty: ours. The page makes it readable
	Logo  string // as CheckLogo wants it; empty: none
}

// Bounds of a logo: its bytes, since each page carries it, and its sides.
const (
	maxLogo     = 24 << 10
	maxLogoSide = 1024
)

// CheckLogo says why a text is no logo: the data URI (RFC 2397), in base64, of a whole PNG or JPEG of at most 24 KiB and 1024 pixels a side.
// It is in the page itself, so that no visit is told to whoever keeps an image; and it is what it says, since it is read to its end.
func CheckLogo(uri string) error {
	var read func([]byte) (image.Config, error)
	head, text, _ := strings.Cut(uri, ",")
	switch head {
	case "data:image/png;base64":
		read = readPNG
	case "data:image/jpeg;base64":
		read = readJPEG
	default:
		return errors.New("must begin with data:image/png;base64, or data:image/jpeg;base64,")
	}
	raw, err := base64.StdEncoding.Strict().DecodeString(text)
	if err != nil || strings.ContainsAny(text, "\r\n") {
		return errors.New("must be base64 without line breaks")
	}
	if len(raw) > maxLogo {
		return fmt.Errorf("must have at most %d bytes", maxLogo)
	}
	config, err := read(raw)
	if err != nil || config.Width < 1 || config.Height < 1 {
		return errors.New("must be the image that it says it is")
	}
	if config.Width > maxLogoSide || config.Height > maxLogoSide {
		return fmt.Errorf("must have at most %d pixels a side", maxLogoSide)
	}
	return nil
}

// readPNG and readJPEG look at the size before they read the rest: a small file may unfold into a large image.
func readPNG(raw []byte) (image.Config, error) {
	config, err := png.DecodeConfig(bytes.NewReader(raw))
	if err == nil && config.Width <= maxLogoSide && config.Height <= maxLogoSide {
		_, err = png.Decode(bytes.NewReader(raw))
	}
	return config, err
}

func readJPEG(raw []byte) (image.Config, error) {
	if !bytes.HasPrefix(raw, []byte("\xff\xd8\xff")) { // the decoder would skip what is no marker
		return image.Config{}, image.ErrFormat
	}
	config, err := jpeg.DecodeConfig(bytes.NewReader(raw))
	if err == nil && config.Width <= maxLogoSide && config.Height <= maxLogoSide {
		_, err = jpeg.Decode(bytes.NewReader(raw))
	}
	return config, err
}

// theme is how a tenant's pages look, with the name that is shown.
func (s *Service) theme(t TenantID) Theme {
	d := s.dir.Load()
	tenant := d.tenants[t]
	if tenant == nil {
		return Theme{}
	}
	theme := tenant.Settings.Theme
	if theme.Name == "" {
		theme.Name = tenant.Name
	}
	return theme
}
