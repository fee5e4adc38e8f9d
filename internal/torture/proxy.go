package main

import (
	"encoding/binary"
	"errors"
	"io"
	"math/rand/v2"
	"net"
	"sync"
	"time"

	"countersign/internal/pgtest"
)

// proxy stands between servers and PostgreSQL and knows as much of its protocol as it takes to break it where it hurts: around a COMMIT.
type proxy struct {
	listener net.Listener
	target   string // Unix socket of PostgreSQL

	mu    sync.Mutex
	mode  proxyMode
	rnd   *rand.Rand
	conns map[net.Conn]struct{}
	felt  int           // faults that met somebody
	calm  chan struct{} // closed when the present mode ends
}

// proxyMode is what the proxy does to those who pass.
type proxyMode int

const (
	passing     proxyMode = iota
	cutAfter              // some COMMITs are carried out, and the connection ends before the answer
	cutBefore             // some COMMITs never arrive, and the connection ends
	silent                // some COMMITs are carried out and never answered, until the mode ends
	slow                  // every answer takes a while
	unreachable           // connections are cut, and no new ones made
	blackhole             // nothing arrives, in either direction, until the mode ends
)

func (m proxyMode) String() string {
	return [...]string{"passing", "cut after COMMIT", "cut before COMMIT", "silence after COMMIT", "slow", "unreachable", "black hole"}[m]
}

// newProxy listens on loopback for a PostgreSQL that listens on a Unix socket.
func newProxy(target string, seed uint64) (*proxy, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	p := &proxy{
		listener: l, target: target, rnd: rand.New(rand.NewPCG(seed, 0x9097)), conns: map[net.Conn]struct{}{}, calm: make(chan struct{}),
	}
	go p.serve()
	return p, nil
}

func (p *proxy) port() int { return p.listener.Addr().(*net.TCPAddr).Port }

func (p *proxy) close() error {
	err := p.listener.Close()
	p.cutAll()
	return err
}

// set begins a mode. What the former one held up is cut.
func (p *proxy) set(m proxyMode) {
	p.mu.Lock()
	former := p.mode
	p.mode = m
	close(p.calm)
	p.calm = make(chan struct{})
	p.mu.Unlock()
	if m == unreachable || former == silent || former == blackhole {
		p.cutAll()
	}
}

func (p *proxy) now() (proxyMode, <-chan struct{}) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.mode, p.calm
}

// strikes decides whether a COMMIT is one of those that something happens to.
func (p *proxy) strikes() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	hit := p.rnd.IntN(4) == 0
	if hit {
		p.felt++
	}
	return hit
}

func (p *proxy) noteFelt() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.felt++
}

func (p *proxy) cutAll() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for c := range p.conns {
		c.Close()
	}
}

// keep adds a connection to those that can be cut, and returns what takes it away again.
func (p *proxy) keep(c net.Conn) func() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.conns[c] = struct{}{}
	return func() {
		c.Close()
		p.mu.Lock()
		defer p.mu.Unlock()
		delete(p.conns, c)
	}
}

func (p *proxy) serve() {
	for {
		c, err := p.listener.Accept()
		if err != nil {
			return
		}
		if m, _ := p.now(); m == unreachable {
			p.noteFelt()
			c.Close()
			continue
		}
		go p.carry(c)
	}
}

// carry passes the messages of one connection.
func (p *proxy) carry(client net.Conn) {
	defer p.keep(client)()
	server, err := net.Dial("unix", p.target)
	if err != nil {
		return
	}
	defer p.keep(server)()
	held := &heldBack{}
	go func() {
		defer client.Close()
		defer server.Close()
		p.answers(client, server, held)
	}()
	p.requests(client, server, held)
}

// heldBack says what becomes of the next answer of a connection.
type heldBack struct {
	mu  sync.Mutex
	how proxyMode
}

func (h *heldBack) hold(m proxyMode) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.how = m
}

func (h *heldBack) mode() proxyMode {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.how
}

var errCut = errors.New("the connection was cut")

// requests passes what the server asks of PostgreSQL. Its first message has no type.
func (p *proxy) requests(client, server net.Conn, held *heldBack) {
	var commits pgtest.Commits
	first := true
	for {
		message, err := readMessage(client, !first)
		if err != nil {
			return
		}
		commit := !first && commits.Are(message)
		first = false
		m, calm := p.now()
		switch {
		case m == blackhole:
			p.noteFelt()
			<-calm
			return
		case !commit || (m != cutAfter && m != cutBefore && m != silent) || !p.strikes():
		case m == cutBefore:
			return
		default:
			held.hold(m)
		}
		if _, err := server.Write(message); err != nil {
			return
		}
	}
}

// answers passes what PostgreSQL says.
func (p *proxy) answers(client, server net.Conn, held *heldBack) {
	buffer := make([]byte, 32<<10)
	for {
		n, err := server.Read(buffer)
		if err != nil {
			return
		}
		m, calm := p.now()
		switch held.mode() {
		case cutAfter: // PostgreSQL has carried it out
			return
		case silent:
			<-calm
			return
		}
		switch m {
		case blackhole:
			p.noteFelt()
			<-calm
			return
		case slow:
			p.noteFelt()
			select {
			case <-time.After(100 * time.Millisecond):
			case <-calm:
			}
		}
		if _, err := client.Write(buffer[:n]); err != nil {
			return
		}
	}
}

// maxMessage bounds what the proxy reads at once.
const maxMessage = 16 << 20

// readMessage reads one message of the protocol, with its head.
func readMessage(r io.Reader, typed bool) ([]byte, error) {
	head := make([]byte, 4, 5)
	if typed {
		head = head[:5]
	}
	if _, err := io.ReadFull(r, head); err != nil {
		return nil, err
	}
	size := int(binary.BigEndian.Uint32(head[len(head)-4:])) - 4
	if size < 0 || size > maxMessage {
		return nil, errCut
	}
	message := append(head, make([]byte, size)...)
	_, err := io.ReadFull(r, message[len(head):])
	return message, err
}
