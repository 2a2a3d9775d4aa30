package policy_test

import (
	"encoding/json"
	"errors"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"

	"chatexport/internal/chat"
	chatemu "chatexport/internal/emulator/chat"
	cosemu "chatexport/internal/emulator/cos"
	"chatexport/internal/emulator/world"
	"chatexport/internal/layout"
	"chatexport/scripts/policy"
	"chatexport/scripts/policy/policytest"
)

// everything lets the function do everything that it can do.
func everything(t *testing.T, e *policytest.Enforcer, env map[string]string) {
	t.Helper()
	environment := map[string]string{"EXPORT_SPAN": "60", "COS_PREFIX": e.Place.Prefix}
	maps.Copy(environment, env)
	w := world.New(t, world.Options{Cloud: e.Cloud, Env: environment})
	w.COS.SetFault(e.COS)
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
		if f := e.COS(r); f != nil {
			return f
		}
		if r.Op == cosemu.OpGet && strings.Contains(r.Key, "state/gid=") {
			return &cosemu.Fault{Status: http.StatusNotFound, Code: "NoSuchKey"}
		}
		return nil
	})
	w.Tick(a) // without its hints: chunks are looked for
	w.COS.SetFault(e.COS)
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
func sweep(t *testing.T, e *policytest.Enforcer) {
	t.Helper()
	w := world.New(t, world.Options{Cloud: e.Cloud, Env: map[string]string{"COS_PREFIX": e.Place.Prefix}})
	w.COS.SetFault(e.COS)
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
		e := policytest.New(t, prefix, policy.Role)
		everything(t, e, nil)
		sweep(t, e)
		unused(t, e)
	}
}

func TestRole_NeedsOneGrantMoreForATopic(t *testing.T) {
	t.Parallel()
	e := policytest.New(t, "", policy.Role, policy.CMQ)
	everything(t, e, map[string]string{"REQUEUE": "cmq", "CMQ_TOPIC": "chatexport"})
	for i := range e.Granted {
		if g := &e.Granted[i]; g.Used != (g.Action == "tdmq:PublishCmqMsg") && (strings.HasPrefix(g.Action, "scf:") || strings.HasPrefix(g.Action, "tdmq:")) {
			t.Errorf("%s: used is %v", g, g.Used)
		}
	}
}

func unused(t *testing.T, e *policytest.Enforcer) {
	t.Helper()
	for i := range e.Granted {
		if g := &e.Granted[i]; !g.Used {
			t.Errorf("granted, but never needed: %s", g)
		}
	}
}

func TestRole_CanDeleteAndReplaceNothing(t *testing.T) {
	t.Parallel()
	e := policytest.New(t, "", policy.Role, policy.CMQ)
	for _, g := range e.Granted {
		if strings.Contains(g.Action, "Delete") || strings.Contains(g.Action, "*") {
			t.Errorf("granted: %s", &g)
		}
		hint := strings.Contains(g.Resource, "/state/gid=") || strings.HasSuffix(g.Resource, "/"+layout.SweepLatest()) || strings.HasSuffix(g.Resource, "/"+layout.SweepLane())
		if g.Action == "name/cos:PutObject" && !g.Create && !hint {
			t.Errorf("granted without the condition that nothing is replaced: %s", &g)
		}
	}
	var d struct{ Statement []struct{ Action []string } }
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
