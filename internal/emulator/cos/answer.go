package cosemu

import (
	"io"
	"net"
	"net/http"
	"strconv"
)

// answer is a ResponseWriter that remembers what was answered and applies the faults that concern the answer.
type answer struct {
	http.ResponseWriter

	requestID string
	fault     *Fault
	released  bool
	recorded  bool
	record    func() // writes the request to the log; called before the client can know the outcome

	status int
	code   string
	sent   int64
	limit  int64 // bytes of the body until the connection breaks; set by Truncate
}

// log writes the request to the log once.
func (a *answer) log() {
	if !a.recorded {
		a.recorded = true
		a.record()
	}
}

// held reports whether the true answer is kept from the client.
func (a *answer) held() bool { return !a.released && (a.fault.LoseAnswer || a.fault.AfterWork) }

// release lets the next answer out; the header must be that of a fresh one.
func (a *answer) release() {
	a.released, a.status = true, 0
	for name := range a.Header() {
		switch name {
		case "Date", "Server", http.CanonicalHeaderKey(requestIDHeader):
		default:
			a.Header().Del(name)
		}
	}
}

// WriteHeader applies the faults of the checksum header.
func (a *answer) WriteHeader(status int) {
	if a.status != 0 {
		return
	}
	a.status = status
	h := a.Header()
	if crc, err := strconv.ParseUint(h.Get(crcHeader), 10, 64); err == nil && a.fault.WrongCRC {
		h.Set(crcHeader, strconv.FormatUint(crc^1, 10))
	}
	if a.fault.NoCRC {
		h.Del(crcHeader)
	}
	if length, err := strconv.ParseInt(h.Get("Content-Length"), 10, 64); err == nil && status < 300 {
		a.limit = length / 2
	}
	if !a.held() {
		a.log()
		a.ResponseWriter.WriteHeader(status)
	}
}

// Write applies the faults of the body.
func (a *answer) Write(p []byte) (int, error) {
	a.WriteHeader(http.StatusOK)
	if a.held() {
		return len(p), nil
	}
	if a.fault.Damage && a.sent == 0 && len(p) > 0 && a.status < 300 {
		p = append([]byte{p[0] ^ 1}, p[1:]...)
	}
	if a.fault.Truncate && a.status < 300 && a.sent+int64(len(p)) > a.limit {
		_, _ = a.ResponseWriter.Write(p[:a.limit-a.sent])
		_ = http.NewResponseController(a.ResponseWriter).Flush()
		panic(http.ErrAbortHandler) // ends the connection in the middle of the body
	}
	n, err := a.ResponseWriter.Write(p)
	a.sent += int64(n)
	return n, err
}

func (a *answer) writeString(s string) {
	_, _ = io.WriteString(a, s) // a client that went away needs no answer
}

// reset breaks the connection with RST, so that the client cannot take it for an orderly end.
func (a *answer) reset() {
	a.status, a.code = 0, ""
	a.log()
	conn, _, err := http.NewResponseController(a.ResponseWriter).Hijack()
	if err != nil {
		panic(http.ErrAbortHandler) // not a real connection, or one that cannot be taken over
	}
	if tcp, ok := conn.(*net.TCPConn); ok {
		_ = tcp.SetLinger(0) // without it the client sees an orderly end, which is a fault too
	}
	_ = conn.Close()
}
