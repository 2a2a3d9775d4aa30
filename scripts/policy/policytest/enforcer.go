// Package policytest judges what the function asks of the emulators by the policies of its role.
//
// It is for tests only. It knows as much of CAM as these policies use, and fails the test on anything else.
package policytest

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"

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

// Enforcer judges requests by policies, and notes what was used of them.
type Enforcer struct {
	Place policy.Place

	t testing.TB

	mu      sync.Mutex
	Granted []Grant // to be read when nobody is judged any more
}

// Grant is the smallest part of a policy: one action on one resource.
type Grant struct {
	Action, Resource string
	Create           bool // for create-only writes alone
	Used             bool
}

// String names it.
func (g *Grant) String() string { return g.Action + " on " + g.Resource }

// New judges by the policies of the world, with objects below prefix.
func New(t testing.TB, prefix string, policies ...func(policy.Place) (string, error)) *Enforcer {
	t.Helper()
	place := policy.Place{Region: world.Region, Bucket: world.Bucket, Prefix: prefix, Namespace: "default", Function: world.Function}
	e := &Enforcer{Place: place, t: t}
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

func (e *Enforcer) read(s statement) {
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
			e.Granted = append(e.Granted, Grant{Action: action, Resource: resource, Create: create})
		}
	}
}

// allow reports whether an action is granted.
func (e *Enforcer) allow(action, resource string, create bool) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	allowed := false
	for i := range e.Granted {
		g := &e.Granted[i]
		prefix, open := strings.CutSuffix(g.Resource, "*")
		matches := resource == g.Resource || open && strings.HasPrefix(resource, prefix)
		if g.Action == action && matches && (!g.Create || create) {
			g.Used, allowed = true, true
		}
	}
	if !allowed {
		e.t.Errorf("not granted: %s on %s (create-only %v)", action, resource, create)
	}
	return allowed
}

// COS refuses the requests that are not granted, as COS would, and fails the test.
func (e *Enforcer) COS(r *cosemu.Request) *cosemu.Fault {
	actions := map[cosemu.Op]string{
		cosemu.OpPut: "PutObject", cosemu.OpGet: "GetObject", cosemu.OpHead: "HeadObject", cosemu.OpDelete: "DeleteObject",
		cosemu.OpDeleteMulti: "DeleteMultipleObjects", cosemu.OpList: "GetBucket", cosemu.OpHeadBucket: "HeadBucket",
		cosemu.OpGetVersioning: "GetBucketVersioning", cosemu.OpPutVersioning: "PutBucketVersioning",
	}
	bucket := e.Place.Bucket
	resource := fmt.Sprintf("qcs::cos:%s:uid/%s:%s/%s", e.Place.Region, bucket[strings.LastIndexByte(bucket, '-')+1:], bucket, r.Key)
	if !e.allow("name/cos:"+actions[r.Op], resource, r.Header.Get("x-cos-forbid-overwrite") == "true") {
		return &cosemu.Fault{Status: http.StatusForbidden, Code: "AccessDenied"}
	}
	return nil
}

// Cloud does the same for the cloud API.
func (e *Enforcer) Cloud(c *cloudemu.Call) *cloudemu.Fault {
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
