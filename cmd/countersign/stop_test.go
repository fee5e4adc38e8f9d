package main

import (
	"context"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"countersign/internal/apitest"
)

// TestStopCutsOff: a request that does not end within the limit is cut off, and the program says so and why.
func TestStopCutsOff(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	config := filepath.Join(dir, "c.yaml")
	text := "listen: 127.0.0.1:0\npublic_url: https://auth.example.com\nshutdown_limit: 1ms\ndatabase: sqlite:" + filepath.Join(dir, "test.db")
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	env := []string{envMasterKey + "=" + apitest.MasterKey}
	if err := run(t.Context(), []string{"migrate", "--config", config}, env, io.Discard, io.Discard); err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	read, write := io.Pipe()
	defer read.Close()
	address, logged, ended := make(chan string, 1), make(chan string, 1), make(chan error, 1)
	go watch(read, address, logged)
	go func() { ended <- run(ctx, []string{"serve", "--config", config}, env, io.Discard, write) }()
	var conn net.Conn
	select {
	case at := <-address:
		var err error
		if conn, err = net.Dial("tcp", at); err != nil {
			t.Fatal(err)
		}
	case err := <-ended:
		t.Fatal(err)
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(time.Minute)); err != nil {
		t.Fatal(err)
	}
	const half = "POST /oidc/token HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: 9\r\nExpect: 100-continue\r\n\r\n"
	if _, err := io.WriteString(conn, half); err != nil {
		t.Fatal(err)
	}
	begun := make([]byte, len("HTTP/1.1 100 Continue\r\n\r\n"))
	if _, err := io.ReadFull(conn, begun); err != nil || !strings.Contains(string(begun), "100") {
		t.Fatalf("got %q and %v, want that the body is waited for", begun, err)
	}
	stop()
	if err := <-ended; err == nil || err.Error() != "shutdown_limit: requests that had not ended after 1ms were cut off" {
		t.Errorf("got %v, want that requests were cut off", err)
	}
	if rest, err := io.ReadAll(conn); len(rest) > 0 || os.IsTimeout(err) {
		t.Errorf("got %q and %v, want the end of the connection", rest, err)
	}
}
