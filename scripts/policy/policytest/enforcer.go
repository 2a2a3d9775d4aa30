// Package policytest judges what the function asks of the emulators by the policies of its role.
//
// It is for tests only. It knows as much of CAM as these policies use, and fails the test on anything else.
package policytest

import (
	"encoding/json"
	"fmt"
	"maps"
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
	Principal map[string][]string // of a bucket's policy: everybody
	Effect    string
	Action    []string
	Resource  []string
	Condition condition
}

// condition is met if all of it is: {operator: {key: value}}.
type condition map[string]map[string]string

// Enforcer judges requests by policies, and notes what was used of them.
type Enforcer struct {
	Place policy.Place
	// Conditions is what is known of a request that an emulator does not see: that it came by https, and whose it is.
	Conditions map[string]string
	// Refused, if set, is told what is refused, instead of the test failing.
	Refused func(action, resource string)

	t testing.TB

	mu      sync.Mutex
	Granted []Grant // to be read when nobody is judged any more
	Denied  []Grant
}

// Grant is the smallest part of a policy: one action on one resource, granted or denied.
type Grant struct {
	Action, Resource string
	Create           bool // for create-only writes alone
	Used             bool

	condition condition
}

// String names it.
func (g *Grant) String() string { return g.Action + " on " + g.Resource }

// New judges by the policies of the world, with objects below prefix.
func New(t testing.TB, prefix string, policies ...func(policy.Place) (string, error)) *Enforcer {
	t.Helper()
	place := policy.Place{
		Region: world.Region, Bucket: world.Bucket, Prefix: prefix, Namespace: "default", Function: world.Function,
		Topic: "chatexport", Owner: Owner,
	}
	e := &Enforcer{Place: place, Conditions: map[string]string{"cos:secure-transport": "true"}, t: t}
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

// Owner is the account that the bucket's policy names.
const Owner = "100000000001"

// Everything is a policy that grants all that COS can do, as the account's owner has it.
func Everything(policy.Place) (string, error) {
	return `{"version":"2.0","statement":[{"effect":"allow","action":["name/cos:*"],"resource":["*"]}]}`, nil
}

func (e *Enforcer) read(s statement) {
	e.t.Helper()
	e.meets(s.Condition, nil) // unknown operators fail the test
	for _, action := range s.Action {
		for _, resource := range s.Resource {
			g := Grant{Action: action, Resource: resource, condition: s.Condition, Create: s.Condition["string_equal"]["cos:x-cos-forbid-overwrite"] == "true"}
			switch s.Effect {
			case "allow":
				e.Granted = append(e.Granted, g)
			case "deny":
				e.Denied = append(e.Denied, g)
			default:
				e.t.Fatalf("effect %q", s.Effect)
			}
		}
	}
}

// meets reports whether a request meets a condition. Of what the request lacks, COS's documentation says: a condition on
// it is not met, but with _if_exist it is.
func (e *Enforcer) meets(c condition, request map[string]string) bool {
	met := true
	for name, values := range c {
		operator, lenient := strings.CutSuffix(name, "_if_exist")
		equal := operator == "string_equal" || operator == "bool_equal"
		if !equal && operator != "string_not_equal" {
			e.t.Errorf("operator %q is not known", name)
		}
		for key, value := range values {
			got, known := request[key]
			met = met && (known && (got == value) == equal || !known && lenient)
		}
	}
	return met
}

// covers reports whether an action on a resource is the grant's.
func covers(pattern, name string) bool {
	prefix, open := strings.CutSuffix(pattern, "*")
	return name == pattern || open && strings.HasPrefix(name, prefix)
}

// allow reports whether an action is granted, and not denied.
func (e *Enforcer) allow(action, resource string, request map[string]string) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	match := func(grants []Grant) bool {
		found := false
		for i := range grants {
			g := &grants[i]
			if covers(g.Action, action) && covers(g.Resource, resource) && e.meets(g.condition, request) {
				g.Used, found = true, true
			}
		}
		return found
	}
	granted := match(e.Granted)
	if allowed := granted && !match(e.Denied); allowed {
		return true
	}
	if e.Refused != nil {
		e.Refused(action, resource)
	} else {
		e.t.Errorf("refused: %s on %s (%v)", action, resource, request)
	}
	return false
}

// Allows judges an action on a key, or on the bucket if that is empty, by the conditions that the request meets.
func (e *Enforcer) Allows(action, key string, request map[string]string) bool {
	bucket := e.Place.Bucket
	resource := fmt.Sprintf("qcs::cos:%s:uid/%s:%s/%s", e.Place.Region, bucket[strings.LastIndexByte(bucket, '-')+1:], bucket, key)
	all := maps.Clone(e.Conditions)
	maps.Copy(all, request)
	return e.allow("name/cos:"+action, resource, all)
}

// COS refuses the requests that are not granted, as COS would, and fails the test.
func (e *Enforcer) COS(r *cosemu.Request) *cosemu.Fault {
	actions := map[cosemu.Op]string{
		cosemu.OpPut: "PutObject", cosemu.OpGet: "GetObject", cosemu.OpHead: "HeadObject", cosemu.OpDelete: "DeleteObject",
		cosemu.OpDeleteMulti: "DeleteMultipleObjects", cosemu.OpList: "GetBucket", cosemu.OpHeadBucket: "HeadBucket",
		cosemu.OpGetVersioning: "GetBucketVersioning", cosemu.OpPutVersioning: "PutBucketVersioning",
	}
	request := map[string]string{}
	for _, name := range []string{"x-cos-forbid-overwrite", "x-cos-acl"} {
		if value := r.Header.Get(name); value != "" {
			request["cos:"+name] = value
		}
	}
	if !e.Allows(actions[r.Op], r.Key, request) {
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
		allowed = e.allow("scf:Invoke", resource, nil) && e.allow("scf:InvokeFunction", resource, nil)
	default:
		allowed = e.allow(c.Service+":"+c.Action, fmt.Sprintf("qcs::%s:%s::topic/%s", c.Service, c.Region, c.Topic), nil)
	}
	if !allowed {
		return &cloudemu.Fault{Code: "UnauthorizedOperation.CAM"}
	}
	return nil
}
