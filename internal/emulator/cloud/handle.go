package cloudemu

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"slices"
	"strings"
	"time"

	"chatexport/internal/emulator/loopback"
)

const (
	// maxEventBytes is the limit of an asynchronous event (SCF documentation, 583/11637).
	maxEventBytes = 128 << 10
	// maxMessageBytes is the limit of a message (TDMQ documentation, 1179/55920).
	maxMessageBytes = 1024 << 10
	// maxRequestBytes is the limit of a request that is signed with TC3-HMAC-SHA256.
	maxRequestBytes = 10 << 20
)

// refusal is an answer with an error code.
type refusal struct{ code, message string }

func (r *refusal) Error() string { return r.code + ": " + r.message }

func refuse(code, message string) error { return &refusal{code: code, message: message} }

// ServeHTTP implements http.Handler: it checks the call, lets the fault happen, and queues the event.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(io.LimitReader(r.Body, maxRequestBytes+1))
	if err != nil {
		panic(http.ErrAbortHandler) // the caller has gone
	}
	call := &Call{
		At: time.Now(), Version: r.Header.Get("X-TC-Version"), Action: r.Header.Get("X-TC-Action"),
		Region: r.Header.Get("X-TC-Region"), Token: r.Header.Get("X-TC-Token"), RequestID: newID(),
	}
	event, err := s.check(r, body, call)
	call.N = s.begin(*call)
	defer func() { s.end(*call) }()
	if err != nil {
		s.refuse(w, call, err)
		return
	}
	var fault *Fault
	if s.config.Fault != nil {
		fault = s.config.Fault(call)
	}
	s.serve(r.Context(), w, call, event, cmp.Or(fault, &Fault{}))
}

func (s *Server) begin(c Call) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	c.N = len(s.calls) + 1
	s.calls = append(s.calls, c)
	return c.N
}

func (s *Server) end(c Call) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.calls[c.N-1] = c
}

func (s *Server) serve(ctx context.Context, w http.ResponseWriter, call *Call, event []byte, fault *Fault) {
	_ = loopback.Pause(ctx, fault.Delay) // who has left gets no answer
	if fault.Hang {
		<-ctx.Done()
	}
	if fault.Hang || fault.Reset {
		panic(http.ErrAbortHandler)
	}
	answered := fault.Code != "" || fault.Status != 0 || fault.HTML
	if !answered || fault.Publish {
		id, err := s.queue(call, event, fault)
		if err != nil {
			s.refuse(w, call, refuse("InternalError", err.Error()))
			return
		}
		if !answered && !fault.Lose {
			call.Status = http.StatusOK
			write(w, http.StatusOK, success(call, id))
			return
		}
	}
	switch {
	case fault.Lose:
		panic(http.ErrAbortHandler)
	case fault.HTML:
		call.Code, call.Status = "html", cmp.Or(fault.Status, http.StatusBadGateway)
		w.Header().Set("Content-Type", "text/html")
		w.WriteHeader(call.Status)
		_, _ = io.WriteString(w, "<html><body><h1>Bad Gateway</h1></body></html>") // the caller may have gone
	default:
		call.Code, call.Status = cmp.Or(fault.Code, "InternalError"), cmp.Or(fault.Status, http.StatusOK)
		write(w, call.Status, failure(call, "injected"))
	}
}

func (s *Server) queue(call *Call, event []byte, fault *Fault) (string, error) {
	id, err := s.config.Queue.Push(event)
	if err != nil {
		return "", err
	}
	call.Queued++
	if fault.Duplicate {
		if _, err := s.config.Queue.Push(event); err != nil {
			return "", err
		}
		call.Queued++
	}
	return id, nil
}

func success(call *Call, id string) map[string]any {
	if call.Action == "PublishCmqMsg" {
		return map[string]any{"Result": true, "MsgId": id, "RequestId": call.RequestID}
	}
	// What an asynchronous Invoke does not know yet is empty or zero.
	return map[string]any{"RequestId": call.RequestID, "Result": map[string]any{
		"FunctionRequestId": id, "InvokeResult": 0, "RetMsg": "", "ErrMsg": "", "Log": "", "Duration": 0, "BillDuration": 0, "MemUsage": 0,
	}}
}

func failure(call *Call, message string) map[string]any {
	return map[string]any{"RequestId": call.RequestID, "Error": map[string]any{"Code": call.Code, "Message": message}}
}

func (s *Server) refuse(w http.ResponseWriter, call *Call, err error) {
	r, ok := errors.AsType[*refusal](err)
	if !ok {
		r = &refusal{code: "InternalError", message: err.Error()}
	}
	call.Code, call.Status = r.code, http.StatusOK // the cloud API answers errors with 200
	write(w, call.Status, failure(call, r.message))
}

// check verifies the request and returns the event that it asks to deliver.
func (s *Server) check(r *http.Request, body []byte, call *Call) ([]byte, error) {
	if r.Method != http.MethodPost {
		return nil, refuse("UnsupportedProtocol", "only POST is emulated")
	}
	if len(body) > maxRequestBytes {
		return nil, refuse("RequestSizeLimitExceeded", "the request is too large")
	}
	if err := s.authenticate(r, body, call); err != nil {
		return nil, err
	}
	switch {
	case call.Region == "":
		return nil, refuse("MissingParameter", "X-TC-Region is missing")
	case s.config.Region != "" && call.Region != s.config.Region:
		return nil, refuse("UnsupportedRegion", "not the emulated region")
	}
	switch call.Service + " " + call.Version + " " + call.Action {
	case "scf 2018-04-16 Invoke":
		return s.checkInvoke(body, call)
	case "tdmq 2020-02-17 PublishCmqMsg":
		return s.checkPublish(body, call)
	default:
		return nil, refuse("InvalidAction", "the action is not emulated for this service and version")
	}
}

func (s *Server) checkInvoke(body []byte, call *Call) ([]byte, error) {
	var p struct{ FunctionName, Namespace, Qualifier, InvocationType, ClientContext *string }
	if err := decode(body, &p); err != nil {
		return nil, err
	}
	// The service has defaults for namespace and qualifier. The emulator wants them: a continuation that goes to another
	// version than the one that runs is a mistake that only a deployment would show.
	for name, v := range map[string]*string{"FunctionName": p.FunctionName, "Namespace": p.Namespace, "Qualifier": p.Qualifier, "InvocationType": p.InvocationType, "ClientContext": p.ClientContext} {
		if v == nil || *v == "" {
			return nil, refuse("MissingParameter", name+" is missing")
		}
	}
	call.Function, call.Namespace, call.Qualifier, call.Payload = *p.FunctionName, *p.Namespace, *p.Qualifier, []byte(*p.ClientContext)
	switch {
	case *p.InvocationType != "Event":
		return nil, refuse("InvalidParameterValue.Param", "only InvocationType Event is emulated")
	case len(call.Payload) > maxEventBytes:
		return nil, refuse("InvalidParameterValue.Param", "ClientContext exceeds 128 KB")
	case !json.Valid(call.Payload):
		return nil, refuse("InvalidParameterValue.Param", "ClientContext is not JSON")
	case len(s.config.Functions) > 0 && !slices.Contains(s.config.Functions, Function{call.Namespace, call.Function, call.Qualifier}):
		return nil, refuse("ResourceNotFound.Function", "the function does not exist")
	}
	return call.Payload, nil
}

func (s *Server) checkPublish(body []byte, call *Call) ([]byte, error) {
	var p struct {
		TopicName, MsgContent *string
		MsgTag                []string
	}
	if err := decode(body, &p); err != nil {
		return nil, err
	}
	if p.TopicName == nil || *p.TopicName == "" || p.MsgContent == nil || *p.MsgContent == "" {
		return nil, refuse("MissingParameter", "TopicName or MsgContent is missing")
	}
	call.Topic, call.Payload = *p.TopicName, []byte(*p.MsgContent)
	switch {
	case len(call.Payload) > maxMessageBytes:
		return nil, refuse("InvalidParameterValue", "MsgContent exceeds 1024 KB")
	case len(s.config.Topics) > 0 && !slices.Contains(s.config.Topics, call.Topic):
		return nil, refuse("ResourceNotFound", "the topic does not exist")
	}
	event := s.envelope(call, *p.MsgContent, p.MsgTag)
	if len(event) > maxEventBytes {
		return nil, refuse("FailedOperation", "the message cannot be delivered to the function: more than 128 KB")
	}
	return event, nil
}

// envelope wraps a message as the trigger does. The documentation shows owner and tags in two forms each, so both come.
func (s *Server) envelope(call *Call, content string, tags []string) []byte {
	var owner, tag any = 1200000000, strings.Join(tags, ",")
	if len(content)%2 == 1 {
		owner, tag = "1200000000", tags
	}
	raw, err := json.Marshal(map[string]any{"Records": []any{map[string]any{"CMQ": map[string]any{
		"type": "topic", "topicOwner": owner, "topicName": call.Topic, "subscriptionName": "chatexport",
		"publishTime": call.At.UTC().Format(time.RFC3339), "msgId": newID(), "requestId": call.RequestID, "msgBody": content, "msgTag": tag,
	}}}})
	if err != nil {
		panic(err) // impossible: strings and numbers only
	}
	return raw
}

func decode(body []byte, params any) error {
	if err := json.Unmarshal(body, params); err != nil {
		return refuse("InvalidParameter", "the body is not JSON of the right types")
	}
	return nil
}
