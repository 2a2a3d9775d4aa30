package chatemu

import (
	"context"
	"net"
	"net/http"
	"strconv"
	"time"

	"chatexport/internal/emulator/loopback"
)

// Fault is what goes wrong with one call. Zero fields do nothing. The fields down to Status happen instead of the
// work; the others change how a right answer arrives.
type Fault struct {
	Delay       time.Duration // first of all; ends early when the client leaves
	Hang        bool          // no answer until the client leaves
	ResetBefore bool          // the connection is reset, nothing was done

	ActionStatus string // answered instead of the result; with ErrorCode 0 and "FAIL", or "OK" and a code: contradictions
	ErrorCode    int    // answered instead of the result, with ActionStatus "FAIL" unless that is set
	ErrorInfo    string // text of the code; empty means the usual one
	HTML         bool   // an HTML page, with Status or 200
	Status       int    // an HTML page of a gateway with this status, or Body
	Body         []byte // answered with Status or 200

	Quirks       *Quirks                  // instead of the server's, for this call
	Mutate       func(body []byte) []byte // changes the answer's body
	TruncateBody bool                     // half of the body, as a whole answer
	BreakBody    bool                     // half of the body, then the connection ends
	ResetAfter   bool                     // everything was done, then the connection is reset before the answer
	SlowBody     time.Duration            // the body takes so long
	Close        bool                     // Connection: close
}

// FaultFunc decides a call's fault; nil for none. It may be called by several calls at once and may use the server.
type FaultFunc func(Call) *Fault

// FaultAt gives the n-th call a fault.
func FaultAt(n int, f Fault) FaultFunc {
	return FaultIf(func(c Call) bool { return c.N == n }, f)
}

// FaultFirst gives the first n calls a fault.
func FaultFirst(n int, f Fault) FaultFunc {
	return FaultIf(func(c Call) bool { return c.N <= n }, f)
}

// FaultEvery gives every k-th call a fault.
func FaultEvery(k int, f Fault) FaultFunc {
	return FaultIf(func(c Call) bool { return every(k, uint64(c.N)) }, f)
}

// FaultIf gives calls of a kind a fault.
func FaultIf(match func(Call) bool, f Fault) FaultFunc {
	return func(c Call) *Fault {
		if match(c) {
			return &f
		}
		return nil
	}
}

// FaultAny asks several functions in turn; the first fault counts.
func FaultAny(funcs ...FaultFunc) FaultFunc {
	return func(c Call) *Fault {
		for _, f := range funcs {
			if fault := f(c); fault != nil {
				return fault
			}
		}
		return nil
	}
}

// faultBefore does the part of a fault that replaces the work; true means that the call is over.
func (s *Server) faultBefore(ctx context.Context, w http.ResponseWriter, x *exchange) bool {
	f := x.fault
	if !loopback.Pause(ctx, f.Delay) {
		x.call.Status = 0
		return true
	}
	switch {
	case f.Hang:
		<-ctx.Done()
		x.call.Status = 0
	case f.ResetBefore:
		x.call.Status = 0
		s.end(x)
		reset(w)
	case f.ActionStatus != "" || f.ErrorCode != 0:
		x.call.Code = f.ErrorCode
		s.send(ctx, w, x, f.envelope())
	case f.HTML || f.Status != 0 || f.Body != nil:
		s.sendRaw(ctx, w, x)
	default:
		return false
	}
	return true
}

func (f *Fault) envelope() []byte {
	action, info := f.ActionStatus, f.ErrorInfo
	if action == "" {
		action = "FAIL"
	}
	if info == "" {
		info = ErrorText(f.ErrorCode)
	}
	return object([]member{text("ActionStatus", action), number("ErrorCode", f.ErrorCode), text("ErrorInfo", info)})
}

// sendRaw answers as a gateway in front of the service would.
func (s *Server) sendRaw(ctx context.Context, w http.ResponseWriter, x *exchange) {
	f := x.fault
	if f.Status != 0 {
		x.call.Status = f.Status
	}
	x.call.Code = -1
	body := f.Body
	if body == nil {
		title := strconv.Itoa(x.call.Status) + " " + http.StatusText(x.call.Status)
		body = []byte("<html>\r\n<head><title>" + title + "</title></head>\r\n<body>\r\n<center><h1>" + title +
			"</h1></center>\r\n<hr><center>nginx/1.7.10</center>\r\n</body>\r\n</html>\r\n")
		w.Header().Set("Content-Type", "text/html")
	}
	s.send(ctx, w, x, body)
}

// send writes an answer, with what a fault does to it.
func (s *Server) send(ctx context.Context, w http.ResponseWriter, x *exchange, body []byte) {
	f := x.fault
	if f == nil {
		f = &Fault{}
	}
	if f.Mutate != nil {
		body = f.Mutate(body)
	}
	if f.TruncateBody {
		body = body[:len(body)/2]
	}
	if f.ResetAfter {
		x.call.Status = 0
		s.end(x)
		reset(w)
		return
	}
	header := w.Header()
	if _, ok := header["Content-Type"]; !ok {
		header["Content-Type"] = nil // none, and no guess either: the service's answers may lack it
		if x.quirks.ContentType {
			header.Set("Content-Type", "application/json")
		}
	}
	header.Set("Content-Length", strconv.Itoa(len(body)))
	if f.Close || every(x.quirks.CloseAfter, uint64(x.call.ConnCall)) {
		header.Set("Connection", "close")
	}
	w.WriteHeader(x.call.Status)
	if f.BreakBody {
		x.call.Status = 0
		s.end(x)
		_, _ = w.Write(body[:len(body)/2]) // the connection ends anyway
		_ = http.NewResponseController(w).Flush()
		panic(http.ErrAbortHandler)
	}
	body, whole := drip(ctx, w, body, f.SlowBody)
	if !whole {
		x.call.Status = 0
		return
	}
	s.end(x)
	_, _ = w.Write(body) // a client that left meanwhile is none of ours
}

// drip sends all but the last of eight pieces of a body over a time and returns the rest; false when the client left.
func drip(ctx context.Context, w http.ResponseWriter, body []byte, d time.Duration) (rest []byte, ok bool) {
	const pieces = 8
	flush := http.NewResponseController(w)
	for i := 0; d > 0 && i < pieces-1; i++ {
		n := len(body) / (pieces - i)
		if _, err := w.Write(body[:n]); err != nil || flush.Flush() != nil || !loopback.Pause(ctx, d/pieces) {
			return nil, false
		}
		body = body[n:]
	}
	return body, true
}

// reset ends the connection without an answer, with a TCP reset where there is TCP.
func reset(w http.ResponseWriter) {
	conn, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		panic(http.ErrAbortHandler) // no connection of its own: the round tripper turns this into an error
	}
	if tcp, ok := conn.(*net.TCPConn); ok {
		_ = tcp.SetLinger(0) // an orderly end would be read as an empty answer
	}
	_ = conn.Close()
}
