package auth

import (
	"slices"
	"strings"

	"golang.org/x/text/unicode/norm"
)

// commonWords are the stems that the most used passwords are made of. A password that is nothing but these, digits and repetitions is
// guessed first (NIST SP 800-63B-4 §3.1.1.2). The list is short on purpose: with the NIST preset's 15 characters, what matters is the
// pattern, not the entry.
const commonWords = `password passwort passw0rd contraseña motdepasse senha parola wachtwoord secret geheim admin administrator root
user guest login welcome willkommen bienvenue letmein iloveyou loveme qwerty qwertyuiop qwertz azerty asdf asdfgh asdfghjkl zxcvbn
zxcvbnm yxcvbnm abc abcd abcde abcdef abcdefg abcdefgh dragon monkey master shadow sunshine princess football baseball basketball
soccer hockey superman batman pokemon starwars trustno michael jordan jessica ashley daniel charlie thomas andrew summer winter spring
autumn monday friday january february march april june july august september october november december hello whatever freedom computer
internet google samsung apple cookie flower chocolate cheese pepper ginger mustang ferrari corvette harley killer hunter ranger
buster tigger maggie lovely angel babygirl blink changeme default test testing temp example sample qazwsx qweasd qweqwe asdasd zaq xsw
correcthorsebatterystaple countersign countersignserver bank banking money`

// blocked reports whether a password falls to the first guesses: common words, keyboard runs, counting, repetition, or the user's own
// identifiers and name. It looks at the password as it is, for counting, and with look-alikes put back, for words.
func blocked(text string, u User) bool {
	plain := strings.ToLower(text)
	return guessable(plain, ownWords(u), strings.Clone) || guessable(unleet(plain), ownWords(u), unleet)
}

// guessable reports whether next to nothing is left of a text without the words, both spelt in the same way.
func guessable(plain string, own []string, spell func(string) string) bool {
	for _, w := range own {
		if len(w) >= 4 {
			plain = strings.ReplaceAll(plain, spell(w), "")
		}
	}
	words := strings.Fields(commonWords)
	slices.SortFunc(words, func(a, b string) int { return len(b) - len(a) }) // qwertyuiop before qwerty
	for changed := true; changed; {
		changed = false
		for _, w := range words {
			if w = spell(w); strings.Contains(plain, w) {
				plain, changed = strings.ReplaceAll(plain, w, ""), true
			}
		}
	}
	return distinctSteps(strings.Map(dropFiller, plain)) < 4
}

// ownWords are what the user's identifiers and names are made of.
func ownWords(u User) []string {
	local, domain, _ := strings.Cut(u.Email, "@")
	host, _, _ := strings.Cut(domain, ".")
	words := []string{u.Email, local, host, u.Username, strings.TrimPrefix(u.Phone, "+"), u.Profile.FirstName, u.Profile.LastName}
	for i, w := range words {
		words[i] = strings.ToLower(norm.NFC.String(w))
	}
	return words
}

var leet = strings.NewReplacer("0", "o", "1", "i", "3", "e", "4", "a", "5", "s", "7", "t", "@", "a", "$", "s", "!", "i")

func unleet(s string) string { return leet.Replace(s) }

// dropFiller removes what people put around a word to please a rule.
func dropFiller(r rune) rune {
	if strings.ContainsRune(" .,-_+*#?/&%()=:;!@$", r) {
		return -1
	}
	return r
}

// distinctSteps counts the differences between neighbours: one for a repetition or for counting up, many for anything unguessable.
func distinctSteps(s string) int {
	steps := map[rune]bool{}
	runes := []rune(s)
	for i := 1; i < len(runes); i++ {
		steps[runes[i]-runes[i-1]] = true
	}
	return len(steps)
}
