package auth_test

import (
	"strings"
	"testing"
	"time"

	"countersign/internal/auth"
)

func TestPasswordPolicies(t *testing.T) { // A-001 A-005 A-006
	t.Parallel()
	level := func(n int) auth.PasswordPolicy { return auth.PasswordPolicy{MinLength: 8, MaxLength: 64, Level: n} }
	ada := auth.User{
		Email: "adalovelace@example.com", Username: "countess", Phone: "+35699111111",
		Profile: auth.Profile{FirstName: "Augusta", LastName: "Byronson"},
	}
	for _, tt := range []struct {
		name     string
		policy   auth.PasswordPolicy
		password string
		want     auth.Code
	}{
		{"weavr", auth.PolicyWeavr(), "Pa55word!", none},
		{"weavr 7", auth.PolicyWeavr(), "Pa55wo!", auth.CodePasswordTooShort},
		{"weavr 8", auth.PolicyWeavr(), "Pa55wor!", none},
		{"weavr 30", auth.PolicyWeavr(), "Pa5!" + strings.Repeat("x", 26), none},
		{"weavr 31", auth.PolicyWeavr(), "Pa5!" + strings.Repeat("x", 27), auth.CodePasswordTooLong},
		{"weavr without lower case", auth.PolicyWeavr(), "PA55WORD!", auth.CodePasswordTooSimple},
		{"weavr without upper case", auth.PolicyWeavr(), "pa55word!", auth.CodePasswordTooSimple},
		{"weavr without a digit", auth.PolicyWeavr(), "Password!", auth.CodePasswordTooSimple},
		{"weavr without anything else", auth.PolicyWeavr(), "Pa55words", auth.CodePasswordTooSimple},
		{"weavr with a space", auth.PolicyWeavr(), "Pa55 words", none},
		{"weavr other scripts", auth.PolicyWeavr(), "\u00c9\u00e8\u0661\u2603\u2603\u2603\u2603\u2603", none},
		{"mosaic", auth.PolicyMosaic(), "Pa55word!", none},
		{"mosaic special of no list", auth.PolicyMosaic(), "Pa55word?", auth.CodePasswordTooSimple},
		{"mosaic 256", auth.PolicyMosaic(), "Pa5!" + strings.Repeat("xy", 126), none},
		{"mosaic 257", auth.PolicyMosaic(), "Pa5!" + strings.Repeat("xy", 126) + "z", auth.CodePasswordTooLong},
		{"level 1 takes anything", level(1), "a", none},
		{"level 1 but nothing", level(1), "", auth.CodePasswordTooShort},
		{"level 2 short", level(2), "abcdefg", auth.CodePasswordTooShort},
		{"level 2", level(2), "abcdefgh", none},
		{"level 3 without a digit", level(3), "Abcdefgh", auth.CodePasswordTooSimple},
		{"level 3", level(3), "Abcdefg1", none},
		{"level 4 without special", level(4), "Abcdefg1", auth.CodePasswordTooSimple},
		{"level 4", level(4), "Abcdeg1!", none},
		{"level 5 with a run of three", level(5), "Abbbdeg1!", auth.CodePasswordTooSimple},
		{"level 5 with runs of two", level(5), "Abbcceg1!", none},
		{"nist 14", auth.PolicyNIST(), "gloxinia vapour", none},
		{"nist 15", auth.PolicyNIST(), "gloxinia vapou", auth.CodePasswordTooShort},
		{"nist code points", auth.PolicyNIST(), strings.Repeat("\u00e9\u00e8\u00ea\u00eb\u00e0", 3), none},
		{"nist code points that compose", auth.PolicyNIST(), strings.Repeat("e\u0301e\u0300e\u0302e\u0308a\u0300", 2), auth.CodePasswordTooShort},
		{"nist 256 that compose", auth.PolicyNIST(), strings.Repeat("gloxini\u0308a vapour ", 16), none},
		{"nist 256", auth.PolicyNIST(), strings.Repeat("gloxin\u00efa vapour ", 16), none},
		{"nist 257", auth.PolicyNIST(), strings.Repeat("gloxin\u00efa vapour ", 16) + "s", auth.CodePasswordTooLong},
		{"nist asks for no classes", auth.PolicyNIST(), "correct giraffe battery", none},
		{"nist common word twice", auth.PolicyNIST(), "passwordpassword", auth.CodePasswordTooSimple},
		{"nist common words", auth.PolicyNIST(), "letmein-iloveyou-2024", auth.CodePasswordTooSimple},
		{"nist disguised", auth.PolicyNIST(), "P@ssw0rd!P4$$w0rd!", auth.CodePasswordTooSimple},
		{"nist repetition", auth.PolicyNIST(), strings.Repeat("z", 20), auth.CodePasswordTooSimple},
		{"nist counting", auth.PolicyNIST(), "123456789012345678", auth.CodePasswordTooSimple},
		{"nist keyboard", auth.PolicyNIST(), "qwertyuiopasdfghjkl", auth.CodePasswordTooSimple},
		{"nist own address", auth.PolicyNIST(), "adalovelace2024!", auth.CodePasswordTooSimple},
		{"nist own username and name", auth.PolicyNIST(), "countessAugusta1", auth.CodePasswordTooSimple},
		{"nist own number", auth.PolicyNIST(), "35699111111-35699111111", auth.CodePasswordTooSimple},
		{"nist product", auth.PolicyNIST(), "countersign-countersign", auth.CodePasswordTooSimple},
	} {
		if got := codeOf(tt.policy.Check(tt.password, ada)); got != tt.want {
			t.Errorf("%s: got %v, want %v", tt.name, got, tt.want)
		}
	}
}

func TestPasswordIsDue(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name string
		p    auth.Password
		at   time.Time
		want auth.Code
	}{
		{"for ever", auth.Password{}, noon, none},
		{"before its end", auth.Password{ExpiresAt: noon}, noon.Add(-time.Microsecond), none},
		{"at its end", auth.Password{ExpiresAt: noon}, noon, auth.CodePasswordExpired},
		{"expired by hand", auth.Password{Expired: true, Temporary: true}, noon, auth.CodePasswordExpired},
		{"temporary", auth.Password{Temporary: true}, noon, auth.CodePasswordTemp},
		{"temporary and past its end", auth.Password{Temporary: true, ExpiresAt: noon}, noon, auth.CodePasswordExpired},
	} {
		got, due := tt.p.DueFor(tt.p.ExpiresAt, tt.at)
		if !due {
			got = none
		}
		if got != tt.want {
			t.Errorf("%s: got %v, want %v", tt.name, got, tt.want)
		}
	}
}

// TestPolicyLooksAtWhatIsHashed: a password is judged in the form in which it is compared, and so are the user's own names, however either
// was typed.
func TestPolicyLooksAtWhatIsHashed(t *testing.T) {
	t.Parallel()
	composed, parted := "m\u00fcllerj\u00f6rgsohn", "mu\u0308llerjo\u0308rgsohn"
	for _, name := range []string{composed, parted} {
		for _, password := range []string{composed + "-1", parted + "-1"} {
			if got := codeOf(auth.PolicyNIST().Check(password, auth.User{Username: name})); got != auth.CodePasswordTooSimple {
				t.Errorf("%+q of %+q: got %v", password, name, got)
			}
		}
	}
}
