// Package scfstandin stands in for the part of the cloud API that deploys a function: it answers on loopback as the
// documentation says (SCF API 2018-04-16), and judges every request by the documented limits, which Tencent's component
// leaves to the service.
//
// It is for tests and for scripts/toolkit.sh. It runs no function, and checks no signature beyond its form.
package scfstandin

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"slices"
	"sync"
)

const (
	apiVersion      = "2018-04-16"
	maxRequestBytes = 10 << 20
	maxFormBytes    = 1 << 20 // of a request with a signature of version 1
)

// Call is one request that was answered.
type Call struct {
	Action string
	Params map[string]any
	Code   string // of a refusal; empty for success
}

// Server is the stand-in. The zero value has no function yet.
type Server struct {
	// Fault, if set, refuses a call with the code that it returns. It may be called concurrently.
	Fault func(action string) string
	// Busy is how often GetFunction calls a function that was just made or changed Updating.
	Busy int

	mu        sync.Mutex
	functions map[string]*function
	calls     []Call
}

// function is what was deployed.
type function struct {
	params   map[string]any
	triggers []map[string]any
	retry    map[string]any
	reserved any
	busy     int
}

// Calls returns the requests so far.
func (s *Server) Calls() []Call {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.calls)
}

// Triggers returns the triggers of a function of the namespace default by their names.
func (s *Server) Triggers(name string) map[string]map[string]any {
	s.mu.Lock()
	defer s.mu.Unlock()
	found := make(map[string]map[string]any)
	if f := s.functions["default/"+name]; f != nil {
		for _, t := range f.triggers {
			found[text(t, "TriggerName")] = t
		}
	}
	return found
}

// refusal is an answer with an error code.
type refusal struct{ code, message string }

func (r *refusal) Error() string { return r.code + ": " + r.message }

func refuse(code, format string, args ...any) error {
	return &refusal{code: code, message: fmt.Sprintf(format, args...)}
}

// ServeHTTP implements http.Handler.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	call := Call{}
	result, err := s.serve(r, &call)
	if err != nil {
		call.Code = "InternalError"
		if known, ok := errors.AsType[*refusal](err); ok {
			call.Code = known.code
		}
		result = map[string]any{"Error": map[string]any{"Code": call.Code, "Message": err.Error()}}
	}
	s.calls = append(s.calls, call)
	result["RequestId"] = fmt.Sprintf("00000000-0000-0000-0000-%012d", len(s.calls))
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(map[string]any{"Response": result}) // a caller that has gone is no concern of ours
}

func (s *Server) serve(r *http.Request, call *Call) (map[string]any, error) {
	body, err := io.ReadAll(io.LimitReader(r.Body, maxRequestBytes))
	if err != nil {
		return nil, refuse("InvalidRequest", "the body cannot be read")
	}
	q, err := decode(r, body)
	call.Action, call.Params = q.action, q.params
	switch {
	case err != nil:
		return nil, err
	case q.version != apiVersion:
		return nil, refuse("NoSuchVersion", "version %q", q.version)
	case q.region == "":
		return nil, refuse("MissingParameter", "Region")
	}
	if s.Fault != nil {
		if code := s.Fault(call.Action); code != "" {
			return nil, refuse(code, "injected")
		}
	}
	if err := known(call.Action, call.Params); err != nil {
		return nil, err
	}
	return s.act(call.Action, call.Params)
}

func (s *Server) act(action string, p map[string]any) (map[string]any, error) {
	id := text(p, "Namespace") + "/" + text(p, "FunctionName")
	f := s.functions[id]
	if action == "CreateFunction" {
		return s.create(id, f, p)
	}
	if f == nil {
		return nil, refuse("ResourceNotFound.FunctionName", "no function %s", id)
	}
	if f.busy > 0 && action != "GetFunction" {
		return nil, refuse("FailedOperation.FunctionStatusError", "the function is being changed")
	}
	switch action {
	case "GetFunction":
		return f.describe(), nil
	case "UpdateFunctionCode":
		f.busy = s.Busy
		return map[string]any{}, checkCode(p)
	case "UpdateFunctionConfiguration":
		f.busy = s.Busy
		if err := checkConfiguration(p); err != nil {
			return nil, err
		}
		maps.Copy(f.params, p)
		return map[string]any{}, nil
	case "ListTriggers":
		found := f.find(p)
		return map[string]any{"Triggers": found, "TotalCount": len(found)}, nil
	case "CreateTrigger":
		return f.createTrigger(p)
	case "DeleteTrigger":
		return f.deleteTrigger(p)
	case "UpdateFunctionEventInvokeConfig", "GetFunctionEventInvokeConfig":
		return f.eventConfig(action, p)
	case "PutReservedConcurrencyConfig", "GetReservedConcurrencyConfig":
		return f.reservation(action, p)
	case "GetAlias":
		return nil, refuse("ResourceNotFound.Alias", "no alias")
	default:
		return nil, refuse("InvalidAction", "%s is not known here", action)
	}
}

func (s *Server) create(id string, f *function, p map[string]any) (map[string]any, error) {
	if f != nil {
		return nil, refuse("ResourceInUse.FunctionName", "%s exists", id)
	}
	if err := errors.Join(checkConfiguration(p), checkCode(p), checkCreation(p)); err != nil {
		return nil, err
	}
	if s.functions == nil {
		s.functions = make(map[string]*function)
	}
	s.functions[id] = &function{params: maps.Clone(p), busy: s.Busy}
	return map[string]any{}, nil
}

func (f *function) describe() map[string]any {
	answer := maps.Clone(f.params)
	answer["Status"] = "Active"
	if f.busy > 0 {
		f.busy--
		answer["Status"] = "Updating"
	}
	answer["FunctionVersion"], answer["Qualifier"], answer["Tags"] = "$LATEST", "$LATEST", []any{}
	return answer
}

// text returns a string parameter, empty if there is none.
func text(p map[string]any, name string) string {
	v, _ := p[name].(string)
	return v
}

// Deploy makes a function, as an earlier deployment would have.
func (s *Server) Deploy(namespace, name string, memory int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.functions == nil {
		s.functions = make(map[string]*function)
	}
	s.functions[namespace+"/"+name] = &function{params: map[string]any{"MemorySize": float64(memory)}, busy: s.Busy}
}
