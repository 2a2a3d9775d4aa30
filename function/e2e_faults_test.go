package main_test

import (
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"chatexport/internal/chat"
	cloudemu "chatexport/internal/emulator/cloud"
	cosemu "chatexport/internal/emulator/cos"
	scfemu "chatexport/internal/emulator/scf"
	"chatexport/internal/emulator/world"
)

func TestCredentials_AreThoseOfEachInvocation(t *testing.T) {
	t.Parallel()
	var issued []cloudemu.Credential
	for n := range 40 {
		issued = append(issued, cloudemu.Credential{
			SecretID: fmt.Sprintf("AKIDrole%d", n), SecretKey: fmt.Sprintf("role-key-%d", n), Token: fmt.Sprintf("role-token-%d", n),
		})
	}
	var now atomic.Int64
	o := world.Options{Keys: issued}
	o.COS.Credentials = func(id string) (cosemu.Credential, bool) { // COS knows the newest and the world's own only
		c := issued[now.Load()]
		if id == world.SecretID {
			return cosemu.Credential{SecretKey: world.CloudKey, Token: world.Token}, true
		}
		return cosemu.Credential{SecretKey: c.SecretKey, Token: c.Token}, id == c.SecretID
	}
	s := begin(t, o, scfemu.Config{Freeze: true, Credentials: func() scfemu.Credentials {
		c := issued[now.Add(1)]
		return scfemu.Credentials{SecretID: c.SecretID, SecretKey: c.SecretKey, Token: c.Token}
	}})
	group := s.Group("@TGS#1", 700)
	s.Push(s.Timer(group))
	served := s.mustServe()
	wantHops(t, served, group, 3)
	s.wantComplete(group, 700)
	if s.platform.Starts() != 1 {
		t.Errorf("%d processes were started; the test means one that is kept", s.platform.Starts())
	}
	seen := make(map[string]bool)
	for _, c := range s.Cloud.Calls() {
		seen[c.SecretID] = true
	}
	if want := len(served) - 1; len(seen) != want {
		t.Errorf("continuations were signed with %d credentials, want %d", len(seen), want)
	}
}

func TestDeadline_ThatCannotBeIsIgnored(t *testing.T) {
	t.Parallel()
	const century = 100 * 365 * 24 * time.Hour
	for name, c := range map[string]scfemu.Config{
		"zero":                        {ZeroDeadline: true},
		"in a century":                {Skew: century},
		"an hour ago":                 {Skew: -time.Hour},
		"beyond any limit":            {Skew: time.Hour},
		"right, without a time limit": {NoTimeLimit: true},
		// The function takes the platform's default of 3 s.
		"zero, without a time limit": {ZeroDeadline: true, NoTimeLimit: true, TimeLimit: 4 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := begin(t, world.Options{}, c)
			group := s.Group("@TGS#1", 800)
			s.Push(s.Timer(group))
			wantHops(t, s.mustServe(), group, 2)
			s.wantComplete(group, 800)
		})
	}
}

func TestDeadline_KillLosesNothing(t *testing.T) {
	t.Parallel()
	for _, same := range []bool{false, true} {
		t.Run(fmt.Sprintf("same request id %v", same), func(t *testing.T) {
			t.Parallel()
			// The function believes in 3 s and is killed after 1.2 s, every time.
			s := begin(t,
				world.Options{TimeLimit: 1200 * time.Millisecond, Queue: cloudemu.QueueOptions{SameRequestID: same}, Env: map[string]string{"EXPORT_SPAN": "40"}},
				scfemu.Config{ZeroDeadline: true, NoTimeLimit: true})
			group := s.Group("@TGS#1", 1200)
			s.Push(s.Timer(group))
			var hi []chat.Seq
			for len(hi) < 20 {
				served := s.serve()
				ids := make(map[string]bool)
				for _, v := range served {
					ids[v.RequestID] = true
					if v.Status != scfemu.StatusTimeout && v.Status != scfemu.StatusOK {
						t.Fatalf("status %d: %s", v.Status, v.Error)
					}
				}
				if len(served) == 3 && served[0].Status == scfemu.StatusTimeout && (len(ids) == 1) != same {
					t.Errorf("%d request ids", len(ids))
				}
				hi = append(hi, s.Sound(group).Hi) // sound after every end
				if last := served[len(served)-1]; last.Status == scfemu.StatusOK {
					break
				}
				if len(s.Queue.Dead()) != len(hi) {
					t.Fatalf("%d dead letters, want %d", len(s.Queue.Dead()), len(hi))
				}
				s.Push(s.Queue.Dead()[len(hi)-1].Payload) // as an operator replays a dead letter
			}
			if len(hi) < 2 {
				t.Errorf("archived up to %v; the test means several dead letters", hi)
			}
			s.wantComplete(group, 1200)
		})
	}
}

func TestFaults_LeaveASoundArchive(t *testing.T) {
	t.Parallel()
	for name, fault := range map[string]func(v scfemu.Invocation) scfemu.Fault{
		"killed at any moment": func(v scfemu.Invocation) scfemu.Fault {
			if v.Attempt > 1 {
				return scfemu.Fault{}
			}
			return scfemu.Fault{KillAfter: time.Duration(1+(v.N*397)%1100) * time.Millisecond}
		},
		"every answer lost": func(v scfemu.Invocation) scfemu.Fault { return scfemu.Fault{LoseAnswer: v.Attempt == 1} },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := begin(t, world.Options{Env: map[string]string{"EXPORT_SPAN": "70"}}, scfemu.Config{Fault: fault})
			group := s.Group("@TGS#1", 500)
			s.Push(s.Timer(group))
			s.serve()
			if dead := s.Queue.Dead(); len(dead) > 0 {
				t.Errorf("%d dead letters: %s", len(dead), dead[0].Reason)
			}
			s.wantComplete(group, 500)
		})
	}
}

func TestInstances_ShareTheWork(t *testing.T) {
	t.Parallel()
	s := begin(t, world.Options{}, scfemu.Config{Instances: 2, MaxUses: 3})
	one, two := s.Group("one", 500), s.Group("two", 500)
	// The same tick twice at the same moment: both have the same owner and pass the lease, so the archive must decide.
	tick := s.Timer(one)
	s.Push(tick)
	s.Push(tick)
	s.Push(s.Timer(two))
	s.Push(s.Timer(one, two))
	s.mustServe()
	s.Push(s.Timer(one, two)) // a chain may have ended before a lease of the other; a tick finishes it
	s.mustServe()
	s.wantComplete(one, 500)
	s.wantComplete(two, 500)
}
