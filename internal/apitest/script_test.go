package apitest

import (
	"crypto"
	"fmt"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"countersign/internal/jose"
	"countersign/internal/webauthn/webauthntest"
)

// The language of the scripts
//
// A script is a txtar archive: commands, then files. It talks to one server over a database of its own. Text in single quotes is one
// argument; ” in it is a quote. ${NAME} stands for a saved value, also inside quotes and in files. A ! before a command that can be
// denied means "not". # begins a comment.
//
//	server [-serve CONFIG] [SEED]   starts the sandbox, or `serve`, on a seed file; without this command the sandbox starts on the
//	                                built-in demo at the first command that needs it. ! server SEED REGEX: it refuses, saying so
//	restart [-kill]                 stops the server, which must exit with 0, or kills it at once, and starts it on the same data and
//	                                address; the sandbox's clock goes on from where it was
//	halt                            stops it, and it stays so until restart
//	[!] operate ARGS                runs an operator command with the configuration of a server started by -serve; what it prints is
//	                                the last answer. !: it must fail
//	clock +30m                      moves the sandbox's clock to that long after the last answer to req
//
//	with NAME VALUE                 sends this header from now on; without NAME ends that
//	client ID SECRET                gets a client token and sends it as Authorization from now on; saves it as CLIENT
//	login EMAIL PASSWORD            logs in on /multi, which must answer 200; saves TOKEN
//	req METHOD PATH [BODY | @FILE]  sends a request. The body is JSON, or a form below /oidc, unless -H says otherwise
//	    -H 'NAME: VALUE'            with this header; without a value: without this header
//	    -n COUNT                    that often; all answers must have the same status. ${N} counts from 1
//	    -until STATUS               but no further than an answer with this status, which must come
//	    -bad                        the request breaks the OpenAPI document on purpose
//	raw FILE                        sends a file as it stands, with CRLF for LF, and reads the answer
//	fill VAR COUNT TEXT             VAR becomes TEXT that many times
//	bytes FILE TEXT                 writes a file from text with the escapes of Go, such as \x00
//	totp VAR SECRET                 VAR becomes the code that an app with this secret shows now, by the sandbox's clock
//	device NAME key [EdDSA]         makes a device's key, ES256 by itself; saves KEY, a JWK
//	device NAME browser             the same for one that is a browser: its proof and its answer save PASSKEY and ASSERTION as well, JSON
//	device NAME proof TICKET LABEL [PIN]   saves PROOF, which binds the device under this label
//	device NAME token               saves DEVICE, a token for its calls
//	device NAME answer DECISION [NUMBER] [UV] [PIN]   saves ANSWER, to the first request of the last answer; with a PIN SALT, too
//	[!] passkey VAR NAME create|get VAR becomes what the authenticator of this name answers to the options in the last answer to req, encoded;
//	                                ! passkey: it has no answer. -alg, -still, -synced and -usb set it up; -type, -challenge, -origin, -site,
//	                                -flags, -counter, -id, -handle and -cross make it sign another value; -forged spoils the signature; -url,
//	                                -plain and -flat encode otherwise
//	flip VAR OLD                    VAR becomes OLD with one character changed
//	key VAR KIND [FORM]             makes a key pair as a device does, rsa, ec or p384; VAR becomes its public half: spki, url, pem,
//	                                point or pkcs1
//	proof VAR NAME METHOD PATH [TOKEN]   VAR becomes a proof of the key of device NAME for this request, with an access token (RFC 9449)
//	ocra VAR SECRET CHALLENGE       VAR becomes the code that an app makes of a challenge of six digits now, by the sandbox's clock
//	sign VAR KEY TEXT [FORM]        VAR becomes KEY's signature of the text: RSA in PSS, or pkcs1; EC in DER, or raw
//
//	status 200                      of the last answer
//	[!] header NAME [REGEX]         it has this header
//	body REGEX                      its body; '' is none
//	[!] json PATH [VALUE]           its JSON has this at the dotted path; .len is the length of an array, . the whole
//	jsonlike PATH REGEX             the same by a pattern
//	save VAR [PATH]                 VAR becomes what is at the path; without one, the text of the answer
//	find VAR REGEX                  VAR becomes the first group of a pattern in its headers, each a line, or its body; a secret
//	keep NAME                       the answer can be named in `same`
//	same NAME NAME                  two kept answers are equal but for request-ref and Date; the seconds of Retry-After may differ
//	equal VALUE VALUE               two values are equal; ! equal: they differ
//	[!] claim VAR PATH [VALUE]      the JWT in VAR has this claim; -header: in its header
//	verify VAR                      the signature of the JWT in VAR verifies under the served keys, and its issuer is the server's
//	metric NAME [VALUE]             of the operators' listener; +VALUE is since it was last read
//	[!] log REGEX                   the server has logged this
//
// The scripts of onDevice run twice: as they stand, and with a device of Ada's that has a key of its own in the place of her simulated phone.
//
// Every exchange below /multi, /cis, /oidc, /device, /sandbox and /simulate is checked against the OpenAPI documents that the server serves: requests unless -bad,
// answers always. When a script ends, no secret that occurred in it may be in the server's log or in the body of a refusal, no refusal
// may speak of the machinery, and no answer may have been a 500.

// suite is one run of all scripts.
type suite struct {
	data     func(testing.TB) string // makes an empty database
	coverage *coverage
}

// run runs the scripts and then judges what they left out.
func (s *suite) run(t *testing.T) {
	s.coverage = newCoverage()
	t.Run("scripts", func(t *testing.T) {
		testscript.Run(t, testscript.Params{
			Dir: "testdata/script", Setup: s.setup, Cmds: commands(), RequireUniqueNames: true,
		})
	})
	t.Run("on a device", s.robots)
	t.Run("sweep", s.sweep)
	t.Run("stream", s.stream)
	if !t.Failed() && testing.CoverMode() == "" && wholeRun() {
		s.coverage.judge(t)
		s.coverage.judgeWords(t)
	}
}

// wholeRun reports whether all scripts were asked for.
func wholeRun() bool {
	for _, arg := range os.Args {
		if strings.HasPrefix(arg, "-test.run=") && strings.Contains(arg, "/") {
			return false
		}
	}
	return true
}

func TestScripts(t *testing.T) {
	s := suite{data: func(t testing.TB) string { return t.TempDir() + "/test.db" }}
	s.run(t)
}

// script is what the commands of one script share.
type script struct {
	tb       testing.TB
	ts       *testscript.TestScript
	suite    *suite
	options  Options
	server   *Server
	running  bool
	ended    string        // logs of the servers that ended
	ahead    time.Duration // of the sandbox's clock
	answered time.Time     // of the last answer to req
	wire     *wire
	standing []header
	last     *reply
	kept     map[string]*reply
	metrics  map[string]float64 // as last read
	secrets  *secrets
	devices  map[string]*jose.Key
	browsers map[string]*browserKey   // of the devices that are one
	signers  map[string]crypto.Signer // by the variable of their public half
	passkeys map[string]*webauthntest.Authenticator
	robot    *robot // in the place of the simulated phone; nil: the phone is there
}

type scriptKey struct{}

func (s *suite) setup(env *testscript.Env) error {
	tb, ok := env.T().(testing.TB)
	if !ok {
		return fmt.Errorf("%T is no testing.TB", env.T())
	}
	sc := &script{
		tb: tb, suite: s, options: Options{Data: s.data(tb)}, kept: make(map[string]*reply), metrics: make(map[string]float64),
		secrets: newSecrets(), signers: make(map[string]crypto.Signer), devices: make(map[string]*jose.Key), browsers: make(map[string]*browserKey),
		passkeys: make(map[string]*webauthntest.Authenticator),
	}
	env.Values[scriptKey{}] = sc
	env.Defer(sc.finish)
	return nil
}

// command is one word of the language. Only those that take a ! look at denied.
type command struct {
	deniable bool
	run      func(s *script, denied bool, args []string) error
}

func commands() map[string]func(*testscript.TestScript, bool, []string) {
	table := map[string]command{
		"server":   {true, (*script).serverCommand},
		"restart":  {false, (*script).restart},
		"halt":     {false, (*script).halt},
		"operate":  {true, (*script).operate},
		"clock":    {false, (*script).clock},
		"with":     {false, (*script).with},
		"without":  {false, (*script).without},
		"client":   {false, (*script).client},
		"login":    {false, (*script).login},
		"req":      {false, (*script).req},
		"raw":      {false, (*script).raw},
		"fill":     {false, (*script).fill},
		"bytes":    {false, (*script).bytes},
		"totp":     {false, (*script).totp},
		"device":   {false, (*script).device},
		"flip":     {false, (*script).flip},
		"key":      {false, (*script).key},
		"sign":     {false, (*script).sign},
		"proof":    {false, (*script).proof},
		"ocra":     {false, (*script).ocra},
		"passkey":  {true, (*script).passkey},
		"status":   {false, (*script).status},
		"header":   {true, (*script).header},
		"body":     {false, (*script).body},
		"json":     {true, (*script).json},
		"jsonlike": {false, (*script).jsonLike},
		"save":     {false, (*script).save},
		"find":     {false, (*script).find},
		"keep":     {false, (*script).keep},
		"same":     {false, (*script).same},
		"equal":    {true, (*script).equal},
		"claim":    {true, (*script).claim},
		"verify":   {false, (*script).verify},
		"metric":   {false, (*script).metric},
		"log":      {true, (*script).log},
	}
	all := make(map[string]func(*testscript.TestScript, bool, []string), len(table))
	for name, c := range table {
		all[name] = func(ts *testscript.TestScript, denied bool, args []string) {
			s := ts.Value(scriptKey{}).(*script)
			s.ts = ts
			if denied && !c.deniable {
				ts.Fatalf("%s cannot be denied", name)
			}
			args, err := s.expandAll(args)
			if err == nil {
				err = c.run(s, denied, args)
			}
			if err != nil {
				ts.Fatalf("%s: %v", name, err)
			}
		}
	}
	return all
}

var variable = regexp.MustCompile(`\$\{([A-Za-z_][A-Za-z_0-9]*)\}`)

// expand puts saved values in the place of ${NAME}; N is left to req.
func (s *script) expand(text string) (string, error) {
	var unknown error
	text = variable.ReplaceAllStringFunc(text, func(m string) string {
		name := m[2 : len(m)-1]
		value := s.ts.Getenv(name)
		if name == "N" {
			return m
		}
		if value == "" {
			unknown = fmt.Errorf("nothing is saved as %s", name)
		}
		return value
	})
	return text, unknown
}

func (s *script) expandAll(args []string) ([]string, error) {
	out := make([]string, len(args))
	for i, arg := range args {
		var err error
		if out[i], err = s.expand(arg); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// arity checks how many arguments a command got.
func arity(args []string, least, most int) error {
	if len(args) < least || len(args) > most {
		return fmt.Errorf("has %d arguments; takes %d to %d", len(args), least, most)
	}
	return nil
}
