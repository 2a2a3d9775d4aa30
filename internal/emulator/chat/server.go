// Package chatemu is a faithful emulator of the Tencent Chat REST API as far as the export of group history needs it:
// groups, topics, their seq spaces, pages, UserSig, quotas, and everything that can go wrong with them.
//
// It owns the emulated app: what is in it, what the service would answer, and which faults are put in the way. It is
// for tests, the demo and local use only: it must never be part of production, listen on an address that is not
// loopback, serve a request that arrived on one, or write a UserSig anywhere.
package chatemu

import (
	"encoding/json"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"time"

	"chatexport/internal/emulator/loopback"
)

const (
	// maxAnswer is the size above which the service answers 10018 (Chat documentation, error codes).
	maxAnswer = 1 << 20
	// maxRequest bounds what is read of a request; the service's own limit is unknown, a real request has 300 bytes.
	maxRequest = 1 << 20
)

// Options describe an emulated app. The zero value of everything but SDKAppID, SecretKey and Admins is the documented
// service without quota and without faults.
type Options struct {
	SDKAppID  int
	SecretKey string   // signs UserSig; every call's signature is verified with it
	Admins    []string // accounts that may call; nil means "administrator"

	QPS          int  // calls a second for each command; 0 switches the quota off
	QPSBurst     int  // depth of the token bucket; 0 means QPS
	QPSStrict    bool // no bucket: at most QPS calls in any second, refused calls included
	ThrottleCode int  // answered above the quota: 60007 (0), 60011, 60018, 60019 or 10006
	ListQPS      int  // calls a second of get_appid_group_list, answered with 10006 above it; 0 means 1, negative off

	Latency   time.Duration // before every answer; ends early when the client leaves
	MaxAnswer int           // bytes above which the answer is 10018; 0 means 1 MB

	OtherRegionApps []int         // app ids answered with 70020
	AllowedIPs      []string      // anything else is answered with 60021; nil switches the check off
	MaxBadSigs      int           // more bad signatures than this in a minute are answered with 70050; 0 off
	MaxSigAge       time.Duration // signatures made longer ago are answered with 70001, however long they say they last; 0 off

	// SignURL answers get_cos_sig for one URL: the signed URL with its status, 0 normal, 1 banned, 2 does not exist. An
	// empty URL with status 0 is an error of that one URL. Without the function no URL exists. It must not use the server.
	SignURL func(rawURL string) (signed string, status int)

	Quirks Quirks
	Fault  FaultFunc  // decides each call's fault; nil for none
	OnCall func(Call) // runs before each call is worked on; may change the app
	Now    func() time.Time

	KeepCalls int // calls that Calls returns: 0 means the last 256, negative all
}

// Server is one emulated app. It is safe for concurrent use.
type Server struct {
	opts Options

	mu     sync.Mutex // guards everything below; never held while Fault or OnCall run
	quirks Quirks
	fault  FaultFunc
	onCall func(Call)
	groups map[string]*group
	order  []*group // in order of creation: get_appid_group_list walks it

	limits limiter
	guard  sigGuard
	record recorder
}

var _ http.Handler = (*Server)(nil)

// New returns an app without groups.
func New(opts Options) *Server {
	if opts.Now == nil {
		opts.Now = time.Now
	}
	if opts.Admins == nil {
		opts.Admins = []string{"administrator"}
	}
	if opts.MaxAnswer == 0 {
		opts.MaxAnswer = maxAnswer
	}
	s := &Server{opts: opts, quirks: opts.Quirks, fault: opts.Fault, onCall: opts.OnCall, groups: make(map[string]*group)}
	s.limits.init(&s.opts)
	s.record.init(opts.KeepCalls)
	return s
}

// SetQuirks replaces the quirks from the next call on.
func (s *Server) SetQuirks(q Quirks) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.quirks = q
}

// SetFault replaces the fault function from the next call on; nil takes it away.
func (s *Server) SetFault(f FaultFunc) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.fault = f
}

// SetOnCall replaces the hook that runs before each call is worked on; nil takes it away. The hook may use every
// method of the server, so "dissolve at call 7" and "three more messages between two calls" are hooks.
func (s *Server) SetOnCall(f func(Call)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.onCall = f
}

// exchange is one call on its way through the server.
type exchange struct {
	call    Call
	http    *http.Request
	members map[string]json.RawMessage // of the request's body; nil when that is not a JSON object
	quirks  Quirks
	fault   *Fault
	ended   bool // noted in the log
}

// end notes the call in the log, once.
func (s *Server) end(x *exchange) {
	if !x.ended {
		x.ended = true
		s.record.end(&x.call)
	}
}

// ServeHTTP answers one call.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if !overLoopback(r) {
		http.Error(w, "the emulator serves loopback only", http.StatusForbidden)
		return
	}
	x := s.receive(r)
	defer s.end(x)

	s.mu.Lock()
	hook, fault := s.onCall, s.fault
	s.mu.Unlock()
	if hook != nil {
		hook(x.call)
	}
	if fault != nil {
		x.fault = fault(x.call)
	}
	s.mu.Lock()
	x.quirks = s.quirks
	s.mu.Unlock()

	if x.fault != nil {
		x.call.Faulted = true
		if x.fault.Quirks != nil {
			x.quirks = *x.fault.Quirks
		}
		if s.faultBefore(r.Context(), w, x) {
			return
		}
	}
	if !loopback.Pause(r.Context(), s.opts.Latency) {
		x.call.Status = 0
		return
	}
	s.send(r.Context(), w, x, s.encode(x, s.work(x)))
}

// receive reads a request and numbers it.
func (s *Server) receive(r *http.Request) *exchange {
	x := &exchange{http: r}
	c := &x.call
	c.Method, c.At, c.Status = r.Method, s.opts.Now(), http.StatusOK
	c.Service, c.Command = splitPath(r.URL.Path)
	query := r.URL.Query()
	c.Identifier, c.Random = query.Get("identifier"), query.Get("random")
	c.SigTime = sigTime(query.Get("usersig"))
	if query.Has("usersig") {
		query.Set("usersig", "redacted")
	}
	c.URL = r.URL.Path + "?" + query.Encode()
	if body, err := io.ReadAll(io.LimitReader(r.Body, maxRequest)); err == nil {
		c.Body = body
		x.members = objectMembers(body)
	}
	c.Query = readQuery(x.members)
	s.record.begin(r.Context(), c)
	return x
}

// work finds the answer that the service would give.
func (s *Server) work(x *exchange) reply {
	switch {
	case x.http.Method != http.MethodPost, x.call.Service == "":
		return refuse(codeHTTPParse)
	case !knownService(x.call.Service):
		return refuse(codeTimeout)
	}
	if code := s.authorize(x); code != 0 {
		return refuse(code)
	}
	if code := s.limits.take(x.call.Command, s.opts.Now()); code != 0 {
		return refuse(code)
	}
	if x.members == nil {
		return refuse(codeJSONParse)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	switch x.call.Service + "/" + x.call.Command {
	case serviceGroup + "/" + commandPage:
		return s.page(x)
	case serviceGroup + "/" + commandGroupInfo:
		return s.groupInfo(x)
	case serviceGroup + "/" + commandGroupList:
		return s.groupList(x)
	case serviceMillion + "/" + commandTopics:
		return s.topics(x)
	case serviceFiles + "/" + commandSignURLs:
		return s.signURLs(x)
	default:
		return refuse(codeUnknownCommand)
	}
}

// overLoopback reports whether both ends of a request's connection are loopback addresses.
func overLoopback(r *http.Request) bool {
	if !loopback.Is(r.RemoteAddr) {
		return false
	}
	local, ok := r.Context().Value(http.LocalAddrContextKey).(net.Addr)
	return !ok || loopback.Is(local.String())
}

func splitPath(path string) (service, command string) {
	rest, ok := strings.CutPrefix(path, "/v4/")
	if !ok {
		return "", ""
	}
	service, command, ok = strings.Cut(rest, "/")
	if !ok || service == "" || command == "" || strings.Contains(command, "/") {
		return "", ""
	}
	return service, command
}
