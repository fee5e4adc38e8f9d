package main

import (
	"bufio"
	"cmp"
	"errors"
	"fmt"
	"io"
	"net"
	"net/textproto"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// answerLimit is how long a connection waits for one answer.
const answerLimit = 30 * time.Second

// client is one keep-alive connection. It speaks just enough HTTP/1.1 to read what the server sends, since it shares the cores with it:
// requests are bytes made beforehand, and of an answer's header only the length is looked at, and when to come back.
type client struct {
	conn       net.Conn
	r          *bufio.Reader
	body       []byte
	retryAfter int // of the latest answer, seconds; 0: it did not say
}

func dial(address string) (*client, error) {
	conn, err := net.Dial("tcp", address)
	if err != nil {
		return nil, err
	}
	return &client{conn: conn, r: bufio.NewReader(conn)}, nil
}

func (c *client) close() { c.conn.Close() }

// do sends a request and returns the status and the body, which is valid until the next call.
func (c *client) do(request []byte) (status int, body []byte, err error) {
	if err := c.conn.SetDeadline(time.Now().Add(answerLimit)); err != nil {
		return 0, nil, err
	}
	if _, err := c.conn.Write(request); err != nil {
		return 0, nil, err
	}
	line, err := c.r.ReadSlice('\n')
	if err != nil {
		return 0, nil, err
	}
	if len(line) < 12 || string(line[:7]) != "HTTP/1." {
		return 0, nil, errors.New("not an answer in HTTP/1.1")
	}
	if status, err = strconv.Atoi(string(line[9:12])); err != nil {
		return 0, nil, err
	}
	length, err := c.header()
	if err != nil {
		return 0, nil, err
	}
	c.body = slices.Grow(c.body[:0], length)[:length]
	_, err = io.ReadFull(c.r, c.body)
	return status, c.body, err
}

// header reads to the end of the header and returns the length of the body.
func (c *client) header() (length int, err error) {
	for c.retryAfter = 0; ; {
		line, err := c.r.ReadSlice('\n')
		if err != nil {
			return 0, err
		}
		if len(line) <= 2 {
			return length, nil
		}
		if err := cmp.Or(whole(line, "content-length:", &length), whole(line, "retry-after:", &c.retryAfter)); err != nil {
			return 0, err
		}
	}
}

// whole reads the number in a line of a header if it has the name.
func whole(line []byte, name string, into *int) (err error) {
	if len(line) > len(name) && strings.EqualFold(string(line[:len(name)]), name) {
		*into, err = strconv.Atoi(textproto.TrimString(string(line[len(name):])))
	}
	return err
}

// want sends a request and fails unless the answer has the status.
func (c *client) want(status int, request []byte) ([]byte, error) {
	got, body, err := c.do(request)
	if err != nil {
		return nil, err
	}
	if got != status {
		return nil, fmt.Errorf("got status %d, want %d: %s", got, status, body)
	}
	return body, nil
}

// request makes the bytes of a request. Each header is "Name: value".
func request(method, path, body string, headers ...string) []byte {
	var b strings.Builder
	fmt.Fprintf(&b, "%s %s HTTP/1.1\r\nHost: 127.0.0.1\r\n", method, path)
	for _, h := range headers {
		b.WriteString(h + "\r\n")
	}
	if body != "" {
		fmt.Fprintf(&b, "Content-Length: %d\r\n", len(body))
	}
	b.WriteString("\r\n" + body)
	return []byte(b.String())
}

// work prepares the connection of the given number, and returns the step that it repeats from then on.
type work func(c *client, n int) (step func() error, err error)

// load is what a closed loop over some connections did in its window.
type load struct {
	rate   float64         // answers a second
	took   []time.Duration // of each right answer in the window
	right  int             // right answers in and outside of it
	spent  spent           // by all who had a part in it
	errors []error
}

// drive repeats work on conns connections at once. The window begins when each of them has had an answer, so that the queues are as full
// as they will be, and counts the answers that fall into it.
func drive(address string, conns int, window time.Duration, parties func() (spent, error), w work) (load, error) {
	return driveWhile(address, conns, func() { time.Sleep(window) }, parties, w)
}

// driveWhile is drive with a window that ends when wait returns.
func driveWhile(address string, conns int, wait func(), parties func() (spent, error), w work) (load, error) {
	loops := make([]loop, conns)
	defer func() {
		for _, l := range loops {
			if l.client != nil {
				l.client.close()
			}
		}
	}()
	for i := range loops {
		c, err := dial(address)
		if err != nil {
			return load{}, err
		}
		loops[i].client = c
		if loops[i].step, err = w(c, i); err != nil {
			return load{}, err
		}
	}
	stop := make(chan struct{})
	var warm, done sync.WaitGroup
	warm.Add(conns)
	for i := range loops {
		done.Go(func() { loops[i].run(warm.Done, stop) })
	}
	warm.Wait()
	before, err := parties()
	begin := time.Now()
	wait()
	end := time.Now()
	after, err2 := parties()
	close(stop)
	done.Wait()
	if err := errors.Join(err, err2); err != nil && !errors.Is(err, errUnmeasured) {
		return load{}, err
	}
	l := total(loops, begin, end)
	l.spent = after.minus(before)
	return l, nil
}

// loop is one connection's part.
type loop struct {
	client  *client
	step    func() error
	answers []answer
}

type answer struct {
	at   time.Time
	took time.Duration
	err  error
}

func (l *loop) run(first func(), stop <-chan struct{}) {
	for begin := time.Now(); ; {
		err := l.step()
		at := time.Now()
		l.answers = append(l.answers, answer{at, at.Sub(begin), err})
		begin = at
		if len(l.answers) == 1 {
			first()
		}
		select {
		case <-stop:
			return
		default:
		}
		var broken net.Error
		if err != nil && (errors.As(err, &broken) || errors.Is(err, io.EOF)) {
			return // the connection is of no more use
		}
	}
}

func total(loops []loop, begin, end time.Time) load {
	var sum load
	for _, l := range loops {
		for _, a := range l.answers {
			if a.err != nil {
				sum.errors = append(sum.errors, a.err)
				continue
			}
			sum.right++
			if a.at.After(begin) && !a.at.After(end) {
				sum.took = append(sum.took, a.took)
			}
		}
	}
	sum.rate = float64(len(sum.took)) / end.Sub(begin).Seconds()
	return sum
}

// quantile returns the time that a share q of the sorted times does not exceed.
func quantile(sorted []time.Duration, q float64) time.Duration {
	if len(sorted) == 0 {
		return 0
	}
	return sorted[min(int(q*float64(len(sorted))), len(sorted)-1)]
}
