package policy_test

import (
	"encoding/json"
	"encoding/xml"
	"errors"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"chatexport/internal/archive"
	"chatexport/internal/chat"
	chatemu "chatexport/internal/emulator/chat"
	cosemu "chatexport/internal/emulator/cos"
	mediaemu "chatexport/internal/emulator/media"
	"chatexport/internal/emulator/media/sample"
	"chatexport/internal/emulator/world"
	"chatexport/internal/layout"
	"chatexport/internal/objstore"
	"chatexport/internal/verify"
	"chatexport/scripts/internal/rights"
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

// files lets the function archive the files of messages, and go on with it behind what is archived. It returns the state of
// their stream.
func files(t *testing.T, e *policytest.Enforcer) archive.State {
	t.Helper()
	w := world.New(t, world.Options{Cloud: e.Cloud, Env: map[string]string{"COS_PREFIX": e.Place.Prefix, "EXPORT_MEDIA": "on"}})
	s := w.Group("files", 0)
	w.COS.SetFault(e.COS)
	for range 2 {
		for _, access := range []mediaemu.Access{mediaemu.Open, mediaemu.Signed403} { // the same bytes, whose name is taken then
			f := w.Media.Add(mediaemu.Spec{Content: mediaemu.Bytes(sample.PNG(1)), Access: access})
			body := chatemu.MsgBody(chatemu.FileElem(chatemu.Media{URL: f.URL(), Size: f.Size()}))
			if err := w.Chat.Append(s, chatemu.Message{From: "a", Body: body}); err != nil {
				t.Fatal(err)
			}
		}
		w.Tick(s)
	}
	w.COS.SetFault(nil)
	w.Verify(s)
	state := stateOf(t, w, s)
	if state.Media == nil {
		t.Fatalf("state %+v", state)
	}
	return state
}

func stateOf(t *testing.T, w *world.World, s chat.Stream) archive.State {
	t.Helper()
	body, _, err := w.Store.Get(t.Context(), layout.State(s))
	if err != nil {
		t.Fatal(err)
	}
	state, err := archive.ParseState(body)
	if err != nil {
		t.Fatal(err)
	}
	return state
}

// looks lets the function look again at what it has archived, twice, and find files. It returns the state of their stream.
func looks(t *testing.T, e *policytest.Enforcer) archive.State {
	t.Helper()
	w := world.New(t, world.Options{Cloud: e.Cloud, Env: map[string]string{"COS_PREFIX": e.Place.Prefix, "EXPORT_MEDIA": "on", "EXPORT_LOOK": "1ms"}})
	s := w.Group("looks", 0)
	f := w.Media.Add(mediaemu.Spec{Content: mediaemu.Bytes(sample.PNG(2))})
	w.COS.SetFault(e.COS)
	for seq := range chat.Seq(3) { // the first is looked at before the last one is sent
		body := chatemu.MsgBody(chatemu.TextElem("before"))
		if err := w.Chat.Append(s, chatemu.Message{From: "a", Body: body}); err != nil {
			t.Fatal(err)
		}
		w.Tick(s)
		body = chatemu.MsgBody(chatemu.FileElem(chatemu.Media{URL: f.URL(), Size: f.Size()}))
		if err := w.Chat.Modify(s, seq+1, body); err != nil {
			t.Fatal(err)
		}
	}
	w.Tick(s)
	w.COS.SetFault(nil)
	report, err := verify.Stream(t.Context(), w.Store, s, verify.Options{})
	if err != nil || !report.Sound() {
		t.Errorf("error %v, findings %v", err, report.Findings)
	}
	state := stateOf(t, w, s)
	if state.Look == nil {
		t.Fatalf("state %+v", state)
	}
	return state
}

func TestRole_IsGrantedWhatTheFunctionDoesAndNothingElse(t *testing.T) {
	t.Parallel()
	for _, prefix := range []string{"", "chat/prod/"} {
		e := policytest.New(t, prefix, policy.Role, policy.Bucket) // the bucket's policy takes nothing of it away
		everything(t, e, nil)
		sweep(t, e)
		if state := files(t, e); state.Media.Code != "" || state.Media.Frontier != state.Frontier {
			t.Errorf("files: %+v", state.Media)
		}
		if state := looks(t, e); state.Look.Code != "" || state.Look.Frontier != state.Frontier {
			t.Errorf("looks: %+v", state.Look)
		}
		unused(t, e)
	}
}

func TestAuditor_ReadsAllOfAnArchiveAndNothingElse(t *testing.T) {
	t.Parallel()
	e := policytest.New(t, "chat/", policy.Auditor, policy.Bucket)
	w := world.New(t, world.Options{Env: map[string]string{"COS_PREFIX": "chat/"}})
	s := w.Group("a", 60)
	w.Tick(s)
	w.COS.SetFault(e.COS)
	w.Verify(s)
	e.Refused = func(string, string) {}
	if _, err := w.Store.Create(t.Context(), layout.Chunk(s, 1000), objstore.Write{Body: []byte("x"), ContentType: "text/plain"}); !errors.Is(err, objstore.ErrDenied) {
		t.Errorf("a chunk is created: %v", err)
	}
	for _, g := range e.Granted {
		if verb, _ := strings.CutPrefix(g.Action, "name/cos:"); !strings.HasPrefix(verb, "Get") && verb != "HeadObject" {
			t.Errorf("more than reading: %s", &g)
		}
	}
}

// A role that was made before there were files archives messages as ever, and says what it lacks.
func TestRole_ThatMayNotWriteFilesHoldsUpNoMessage(t *testing.T) {
	t.Parallel()
	for _, lacking := range []string{"blob/", "media/"} {
		e := policytest.New(t, "", func(p policy.Place) (string, error) {
			text, err := policy.Role(p)
			return strings.ReplaceAll(text, "/"+lacking+"*", "/elsewhere/*"), err
		})
		e.Refused = func(action, resource string) {
			if !strings.Contains(resource, "/"+lacking) {
				t.Errorf("refused: %s on %s", action, resource)
			}
		}
		state := files(t, e)
		if state.Status != archive.StatusComplete || state.Media.Code != "AccessDenied" || state.Media.At.IsZero() || state.Media.Frontier >= state.Frontier {
			t.Errorf("without %s: status %s, files %+v", lacking, state.Status, state.Media)
		}
	}
}

// So does one from before there were looks.
func TestRole_ThatMayNotWriteLooksHoldsUpNoMessage(t *testing.T) {
	t.Parallel()
	e := policytest.New(t, "", func(p policy.Place) (string, error) {
		text, err := policy.Role(p)
		return strings.ReplaceAll(text, "/change/*", "/elsewhere/*"), err
	})
	e.Refused = func(action, resource string) {
		if !strings.Contains(resource, "/change/") {
			t.Errorf("refused: %s on %s", action, resource)
		}
	}
	state := looks(t, e)
	if state.Status != archive.StatusComplete || state.Look.Code != "AccessDenied" || state.Look.At.IsZero() || state.Look.Frontier >= state.Frontier {
		t.Errorf("status %s, looks %+v", state.Status, state.Look)
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
		hint := strings.Contains(g.Resource, "/state/gid=") || strings.HasSuffix(g.Resource, "/"+layout.SweepLatest())
		if g.Action == "name/cos:PutObject" && !g.Create && !hint {
			t.Errorf("granted without the condition that nothing is replaced: %s", &g)
		}
	}
	var d struct{ Statement []struct{ Action []string } }
	if err := json.Unmarshal([]byte(policy.Trust()), &d); err != nil || !slices.Contains(d.Statement[0].Action, "name/sts:AssumeRole") {
		t.Errorf("trust policy: %v", err)
	}
}

func TestRights_OnlyAnOwnerMayDeleteAndReplace(t *testing.T) {
	t.Parallel()
	const stranger = "100000000002"
	for name, test := range map[string]struct {
		policies []func(policy.Place) (string, error)
		uin      string
		may      []string // of what rights.Trials tries; below data/ and manifest/
	}{
		"the function's role":            {[]func(policy.Place) (string, error){policy.Role}, "", nil},
		"an owner, no policy":            {[]func(policy.Place) (string, error){policytest.Everything}, policytest.Owner, []string{"delete", "replace", "publish"}},
		"another administrator":          {[]func(policy.Place) (string, error){policytest.Everything, policy.Bucket}, stranger, nil},
		"the owner":                      {[]func(policy.Place) (string, error){policytest.Everything, policy.Bucket}, policytest.Owner, []string{"delete", "replace"}},
		"the owner, qcs:uin not known":   {[]func(policy.Place) (string, error){policytest.Everything, policy.Bucket}, "", nil},
		"the function's role, too wide":  {[]func(policy.Place) (string, error){policy.Role, policytest.Everything}, "", []string{"delete", "replace"}},
		"another's role, under a policy": {[]func(policy.Place) (string, error){policy.Role, policytest.Everything, policy.Bucket}, "", nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e := policytest.New(t, "chat/", test.policies...)
			if test.uin != "" {
				e.Conditions["qcs:uin"] = test.uin
			}
			e.Refused = func(string, string) {}
			w := world.New(t, world.Options{Env: map[string]string{"COS_PREFIX": e.Place.Prefix}})
			w.COS.SetFault(e.COS)
			for _, trial := range rights.Trials() {
				may, err := trial.May(t.Context(), w.Store)
				verb, _, _ := strings.Cut(trial.What, " ")
				if err != nil || may != slices.Contains(test.may, verb) {
					t.Errorf("%s: %v, %v", trial.What, may, err)
				}
			}
		})
	}
}

func TestBucket_WaysAroundAreClosedToEverybodyButItsOwner(t *testing.T) {
	t.Parallel()
	e := policytest.New(t, "chat/", policytest.Everything, policy.Bucket)
	e.Refused = func(string, string) {}
	for _, owner := range []bool{false, true} {
		e.Conditions["qcs:uin"] = "100000000002"
		if owner {
			e.Conditions["qcs:uin"] = policytest.Owner
		}
		for _, action := range []string{"PutBucketVersioning", "PutBucketLifecycle", "PutBucketACL", "PutBucketPolicy", "DeleteBucketPolicy", "DeleteBucket"} {
			if e.Allows(action, "", nil) != owner {
				t.Errorf("owner %v: %s", owner, action)
			}
		}
		for _, prefix := range []string{"data/", "manifest/", "media/", "change/", "blob/"} {
			for _, action := range []string{"DeleteObject", "DeleteMultipleObjects", "PutObject", "PostObject", "AppendObject", "CompleteMultipartUpload", "PutObjectACL"} {
				if e.Allows(action, "chat/"+prefix+"x", nil) != owner {
					t.Errorf("owner %v: %s below %s", owner, action, prefix)
				}
			}
			if !e.Allows("PutObject", "chat/"+prefix+"x", map[string]string{"cos:x-cos-forbid-overwrite": "true"}) {
				t.Errorf("owner %v: nothing can be created below %s", owner, prefix)
			}
		}
	}
}

func TestTLS_NothingGoesWithoutIt(t *testing.T) {
	t.Parallel()
	create := map[string]string{"cos:x-cos-forbid-overwrite": "true"}
	for _, secure := range []string{"true", "false"} {
		role, bucket := policytest.New(t, "", policy.Role), policytest.New(t, "", policytest.Everything, policy.Bucket)
		for _, e := range []*policytest.Enforcer{role, bucket} {
			e.Refused = func(string, string) {}
			e.Conditions["cos:secure-transport"] = secure
			for action, key := range map[string]string{"PutObject": "data/x", "GetObject": "manifest/x", "HeadObject": "data/x"} {
				if e.Allows(action, key, create) != (secure == "true") {
					t.Errorf("https %s: %s", secure, action)
				}
			}
		}
	}
}

// rule is one of a bucket's lifecycle.
type rule struct {
	Status     string
	Filter     struct{ Prefix string }
	Expiration struct{ Days int }
}

func TestLifecycle_EndsWhatIsNoProofAndNothingElse(t *testing.T) {
	t.Parallel()
	for _, prefix := range []string{"", "chat/prod/", "a&b/"} {
		text, err := policy.Lifecycle(policy.Place{Bucket: world.Bucket, Prefix: prefix})
		if err != nil {
			t.Fatal(err)
		}
		var rules struct{ Rule []rule }
		if err := xml.Unmarshal([]byte(text), &rules); err != nil {
			t.Fatalf("%v in %s", err, text)
		}
		ends := func(key string) bool {
			return slices.ContainsFunc(rules.Rule, func(r rule) bool {
				if r.Status != "Enabled" || r.Expiration.Days < 90 { // Chat stores nothing longer
					t.Errorf("rule %+v", r)
				}
				return strings.HasPrefix(prefix+key, r.Filter.Prefix)
			})
		}
		s := chat.Stream{GroupID: "state/sweep/"}
		for _, key := range []string{
			layout.Chunk(s, 1), layout.Genesis(s), layout.Manifest(s, 1), layout.State(s), "media/gid=a/tid=-/1", "change/gid=a/tid=-/1", "blob/aa/aa",
		} {
			if ends(key) {
				t.Errorf("%s would end:\n%s", key, text)
			}
		}
		for _, key := range []string{layout.SweepInfo("1", 0), layout.Rejected(time.Now(), "1", 1)} {
			if !ends(key) {
				t.Errorf("%s would stay:\n%s", key, text)
			}
		}
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
