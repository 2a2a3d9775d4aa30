package policy_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"

	"chatexport/internal/chat"
	chatemu "chatexport/internal/emulator/chat"
	cloudemu "chatexport/internal/emulator/cloud"
	cosemu "chatexport/internal/emulator/cos"
	"chatexport/internal/emulator/world"
	"chatexport/scripts/policy"
)

type document struct {
	Version   string
	Statement []statement
}

type statement struct {
	Effect    string
	Action    []string
	Resource  []string
	Condition map[string]map[string]string
}

// enforcer judges requests by policies, and notes what was used of them.
type enforcer struct {
	t     *testing.T
	place policy.Place

	mu      sync.Mutex
	granted []grant
}

// grant is the smallest part of a policy: one action on one resource.
type grant struct {
	action, resource string
	create           bool // for create-only writes alone
	used             bool
}

func (g *grant) String() string { return g.action + " on " + g.resource }

func newEnforcer(t *testing.T, place policy.Place, policies ...func(policy.Place) (string, error)) *enforcer {
	t.Helper()
	e := &enforcer{t: t, place: place}
	for _, p := range policies {
		text, err := p(place)
		if err != nil {
			t.Fatal(err)
		}
		var d document
		dec := json.NewDecoder(strings.NewReader(text))
		dec.DisallowUnknownFields()
		if err := dec.Decode(&d); err != nil {
			t.Fatal(err)
		}
		if d.Version != "2.0" {
			t.Errorf("version %q", d.Version)
		}
		for _, s := range d.Statement {
			e.read(s)
		}
	}
	return e
}

func (e *enforcer) read(s statement) {
	e.t.Helper()
	create := false
	switch {
	case s.Effect != "allow":
		e.t.Fatalf("effect %q", s.Effect)
	case len(s.Condition) == 0:
	case len(s.Condition) == 1 && len(s.Condition["string_equal"]) == 1 && s.Condition["string_equal"]["cos:x-cos-forbid-overwrite"] == "true":
		create = true
	default:
		e.t.Fatalf("condition %v", s.Condition)
	}
	for _, action := range s.Action {
		for _, resource := range s.Resource {
			e.granted = append(e.granted, grant{action: action, resource: resource, create: create})
		}
	}
}

// allow reports whether an action is granted.
func (e *enforcer) allow(action, resource string, create bool) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	allowed := false
	for i := range e.granted {
		g := &e.granted[i]
		prefix, open := strings.CutSuffix(g.resource, "*")
		matches := resource == g.resource || open && strings.HasPrefix(resource, prefix)
		if g.action == action && matches && (!g.create || create) {
			g.used, allowed = true, true
		}
	}
	if !allowed {
		e.t.Errorf("not granted: %s on %s (create-only %v)", action, resource, create)
	}
	return allowed
}

// cos refuses the requests that are not granted, as COS would.
func (e *enforcer) cos(r *cosemu.Request) *cosemu.Fault {
	actions := map[cosemu.Op]string{
		cosemu.OpPut: "PutObject", cosemu.OpGet: "GetObject", cosemu.OpHead: "HeadObject", cosemu.OpDelete: "DeleteObject",
		cosemu.OpDeleteMulti: "DeleteMultipleObjects", cosemu.OpList: "GetBucket", cosemu.OpHeadBucket: "HeadBucket",
		cosemu.OpGetVersioning: "GetBucketVersioning", cosemu.OpPutVersioning: "PutBucketVersioning",
	}
	bucket := e.place.Bucket
	resource := fmt.Sprintf("qcs::cos:%s:uid/%s:%s/%s", e.place.Region, bucket[strings.LastIndexByte(bucket, '-')+1:], bucket, r.Key)
	if !e.allow("name/cos:"+actions[r.Op], resource, r.Header.Get("x-cos-forbid-overwrite") == "true") {
		return &cosemu.Fault{Status: http.StatusForbidden, Code: "AccessDenied"}
	}
	return nil
}

// cloud does the same for the cloud API.
func (e *enforcer) cloud(c *cloudemu.Call) *cloudemu.Fault {
	var allowed bool
	switch c.Action {
	case "Invoke":
		resource := fmt.Sprintf("qcs::scf:%s::namespace/%s/function/%s", c.Region, c.Namespace, c.Function)
		// The documentation does not say by which of the two names CAM judges an Invoke, so both are granted.
		allowed = e.allow("scf:Invoke", resource, false) && e.allow("scf:InvokeFunction", resource, false)
	default:
		allowed = e.allow(c.Service+":"+c.Action, c.Topic, false)
	}
	if !allowed {
		return &cloudemu.Fault{Code: "UnauthorizedOperation.CAM"}
	}
	return nil
}

func place(prefix string) policy.Place {
	return policy.Place{Region: world.Region, Bucket: world.Bucket, Prefix: prefix, Namespace: "default", Function: world.Function}
}

// everything lets the function do everything that it can do.
func everything(t *testing.T, e *enforcer, env map[string]string) {
	t.Helper()
	environment := map[string]string{"EXPORT_SPAN": "60", "COS_PREFIX": e.place.Prefix}
	maps.Copy(environment, env)
	w := world.New(t, world.Options{Cloud: e.cloud, Env: environment})
	w.COS.SetFault(e.cos)
	// The first batch cannot get on, so that the run needs a continuation.
	w.Chat.SetFault(func(c chatemu.Call) *chatemu.Fault {
		if c.Query.Seq > 200 && len(w.Cloud.Calls()) == 0 {
			return &chatemu.Fault{ErrorCode: 60099}
		}
		return nil
	})
	a, b := w.Group("a", 300), w.Group("b", 0)
	c := w.Topic("@TGS#_c", "@TGS#_c@TOPIC#_1", 30)
	w.Tick(a)
	if n := w.Cloud.Count(""); n == 0 {
		t.Error("no continuation was needed")
	}
	w.Tick(b, c)
	if err := w.Chat.Generate(a, 50, chatemu.Varied); err != nil {
		t.Fatal(err)
	}
	w.Tick(a) // an increment: genesis, state and manifests are read
	w.COS.SetFault(func(r *cosemu.Request) *cosemu.Fault {
		if f := e.cos(r); f != nil {
			return f
		}
		if r.Op == cosemu.OpGet && strings.Contains(r.Key, "state/gid=") {
			return &cosemu.Fault{Status: http.StatusNotFound, Code: "NoSuchKey"}
		}
		return nil
	})
	w.Tick(a) // without its hints: chunks are looked for
	w.COS.SetFault(e.cos)
	push(t, w, "[]")
	// An operator who looks at the archive may read and list everything: that is no matter of the role.
	w.COS.SetFault(nil)
	for _, s := range []chat.Stream{a, c} {
		w.Verify(s)
	}
}

func push(t *testing.T, w *world.World, event string) {
	t.Helper()
	w.Push([]byte(event))
	if _, failures := w.Drain(w.Instance()); len(failures) > 0 {
		t.Errorf("%s: %v", event, errors.Join(failures...))
	}
}

// sweep lets the function sweep twice, with something new between.
func sweep(t *testing.T, e *enforcer) {
	t.Helper()
	w := world.New(t, world.Options{Cloud: e.cloud, Env: map[string]string{"COS_PREFIX": e.place.Prefix}})
	w.COS.SetFault(e.cos)
	a, b := w.Group("a", 30), w.Group("b", 30)
	push(t, w, `{"sweep":{"types":["Public"]}}`)
	if err := w.Chat.Generate(a, 10, chatemu.Varied); err != nil {
		t.Fatal(err)
	}
	push(t, w, `{"sweep":{"types":["Public"]},"again":1}`)
	w.COS.SetFault(nil)
	for _, s := range []chat.Stream{a, b} {
		w.Verify(s)
	}
}

func TestRole_IsGrantedWhatTheFunctionDoesAndNothingElse(t *testing.T) {
	t.Parallel()
	for _, prefix := range []string{"", "chat/prod/"} {
		e := newEnforcer(t, place(prefix), policy.Role)
		everything(t, e, nil)
		sweep(t, e)
		unused(t, e)
	}
}

func TestRole_NeedsOneGrantMoreForATopic(t *testing.T) {
	t.Parallel()
	e := newEnforcer(t, place(""), policy.Role, policy.CMQ)
	everything(t, e, map[string]string{"REQUEUE": "cmq", "CMQ_TOPIC": "chatexport"})
	for i := range e.granted {
		if g := &e.granted[i]; g.used != (g.action == "tdmq:PublishCmqMsg") && (strings.HasPrefix(g.action, "scf:") || strings.HasPrefix(g.action, "tdmq:")) {
			t.Errorf("%s: used is %v", g, g.used)
		}
	}
}

func unused(t *testing.T, e *enforcer) {
	t.Helper()
	for i := range e.granted {
		if g := &e.granted[i]; !g.used {
			t.Errorf("granted, but never needed: %s", g)
		}
	}
}

func TestRole_CanDeleteAndReplaceNothing(t *testing.T) {
	t.Parallel()
	e := newEnforcer(t, place(""), policy.Role, policy.CMQ)
	for _, g := range e.granted {
		if strings.Contains(g.action, "Delete") || strings.Contains(g.action, "*") {
			t.Errorf("granted: %s", &g)
		}
		if g.action == "name/cos:PutObject" && !g.create && !strings.Contains(g.resource, "/state/gid=") && !strings.HasSuffix(g.resource, "/state/sweep/latest.json") {
			t.Errorf("granted without the condition that nothing is replaced: %s", &g)
		}
	}
	var d document
	if err := json.Unmarshal([]byte(policy.Trust()), &d); err != nil || !slices.Contains(d.Statement[0].Action, "name/sts:AssumeRole") {
		t.Errorf("trust policy: %v", err)
	}
}

func TestPlace_ThatWouldBreakThePolicyIsRefused(t *testing.T) {
	t.Parallel()
	for _, p := range []policy.Place{{Bucket: "archive"}, {Bucket: "a-1250000000", Function: `"`}, {Bucket: "a-1250000000", Function: "${X}"}} {
		if _, err := policy.Role(p); err == nil {
			t.Errorf("%+v is accepted", p)
		}
	}
}
