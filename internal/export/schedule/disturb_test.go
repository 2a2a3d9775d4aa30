package schedule_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing/synctest"
	"time"

	chatemu "chatexport/internal/emulator/chat"
	"chatexport/internal/layout"
	"chatexport/internal/objstore"
	"chatexport/internal/objstore/memstore"
)

// errOutage is how a service fails.
var errOutage = errors.New("the service is not available")

// disturbance is something that happens to a schedule besides its calls.
type disturbance struct {
	After int // steps after the one before
	Kind  string
	Pick  int // which one, how much
}

func (d disturbance) String() string { return fmt.Sprintf("+%d %s %d", d.After, d.Kind, d.Pick) }

// disturb does what is next. It reports false if there is no occasion for it yet.
func (m *sim) disturb() bool {
	d := m.disturbances[0]
	done, ok := m.disturbQueue(d)
	if !ok {
		done, ok = m.disturbWorld(d)
	}
	if ok {
		if done {
			m.note("* %v", d)
		}
		return done
	}
	return m.disturbCall(d)
}

// pick returns one of the waiting calls.
func (m *sim) pick(d disturbance, match func(*simCall) bool) *simCall {
	calls := slices.DeleteFunc(m.gate.calls(), func(c *simCall) bool { return match != nil && !match(c) })
	if len(calls) == 0 {
		return nil
	}
	return calls[d.Pick%len(calls)]
}

func (m *sim) disturbCall(d disturbance) bool {
	write := func(c *simCall) bool { return c.kind.writes() }
	switch d.Kind {
	case "crash before":
		c := m.pick(d, nil)
		if c == nil {
			return false
		}
		m.note("* CRASH before %v", c)
		m.crash(c.flight)
	case "crash after":
		c := m.pick(d, write)
		if c == nil {
			return false
		}
		m.note("* CRASH after %v", c)
		if m.let(c, m.lost(c)) {
			m.crash(c.flight)
		}
	case "answer lost":
		c := m.pick(d, write)
		return c != nil && m.let(c, m.lost(c))
	case "receipt lost", "receipt and crash":
		c := m.pick(d, func(c *simCall) bool {
			return c.kind == callCreate && (strings.HasPrefix(c.key, "me/") || strings.HasPrefix(c.key, "ch/"))
		})
		if c == nil {
			return false
		}
		m.note("* %v", d)
		if m.let(c, m.lost(c)) && d.Kind == "receipt and crash" {
			m.crash(c.flight)
		}
	case "refused":
		c := m.pick(d, nil)
		return c != nil && m.let(c, m.broken(c))
	case "retried":
		c := m.pick(d, func(c *simCall) bool { return c.kind == callCreate })
		return c != nil && m.let(c, simAnswer{store: memstore.Fault{Retried: true}})
	}
	return true
}

// lost lets a write take effect and hides its answer.
func (m *sim) lost(c *simCall) simAnswer {
	if c.kind == callContinue {
		return simAnswer{err: errOutage}
	}
	return simAnswer{store: memstore.Fault{Err: errors.Join(objstore.ErrUnknown, errOutage)}}
}

// broken lets a call fail without effect.
func (m *sim) broken(c *simCall) simAnswer {
	switch c.kind {
	case callFetch:
		return simAnswer{refuse: m.random.IntN(2) == 0, err: errOutage}
	case callPage, callGroup, callSign:
		faults := []chatemu.Fault{
			{ErrorCode: 10002}, {Status: 502}, {ResetAfter: true}, {BreakBody: true}, {TruncateBody: true}, {ErrorCode: 99999},
		}
		return simAnswer{chat: &faults[m.random.IntN(len(faults))]}
	case callContinue:
		return simAnswer{refuse: true, err: errOutage}
	default:
		fault := memstore.Fault{Lost: true}
		if m.random.IntN(2) == 0 {
			fault.Err = errOutage
		}
		return simAnswer{store: fault}
	}
}

// disturbQueue does what concerns events. The second result is false if d is none of that.
func (m *sim) disturbQueue(d disturbance) (done, known bool) {
	switch d.Kind {
	case "tick", "same tick":
		m.tick(d.Kind == "same tick")
	case "sweep":
		m.sweep(time.Duration(d.Pick%5) * 150 * time.Second)
	case "duplicate":
		m.mu.Lock()
		events := slices.Clone(m.events)
		m.mu.Unlock()
		for _, f := range m.flights {
			events = append(events, f.event)
		}
		if len(events) == 0 {
			return false, true
		}
		again := *events[d.Pick%len(events)]
		again.due = time.Now()
		m.push(&again)
	case "look":
		if len(m.flights)+len(m.events) > 0 {
			return false, true
		}
		time.Sleep(simLook + time.Duration(d.Pick%3-1)*time.Minute)
		m.extra++
		m.tick(false)
	case "drop":
		if len(m.events) == 0 {
			return false, true
		}
		m.take(m.events[d.Pick%len(m.events)])
		m.dropped = true
	default:
		return false, false
	}
	return true, true
}

// disturbWorld does what concerns the services.
func (m *sim) disturbWorld(d disturbance) (done, known bool) {
	switch d.Kind {
	case "grow":
		return m.grow(d.Pick%12 + 1), true
	case "expire":
		return m.expireSome(d.Pick), true
	case "gap":
		return m.gap(d.Pick), true
	case "delete":
		return m.deleteSome(d.Pick), true
	case "edit", "recall", "spoil", "heal", "withhold", "arrive":
		return m.alter(d.Kind, d.Pick), true
	case "dissolve":
		if d.Pick%4 == 0 && !m.dissolved {
			m.must(m.chat.Dissolve(m.stream.GroupID))
			m.dissolved = true
			m.chain.mu.Lock()
			m.chain.trail.gone = true
			m.chain.mu.Unlock()
		}
	case "lose state":
		m.store.Lose(layout.State(m.stream))
	case "stale":
		m.staleNext += d.Pick%3 + 1
	case "late":
		m.lateNext = true
	case "outage":
		kinds := []callKind{callPage, callPage, callHead, callGet, callCreate, callOverwrite, callContinue}
		m.outage[kinds[d.Pick%len(kinds)]] = d.Pick%9 + 1
	case "no files":
		m.outage[[]callKind{callFetch, callFetch, callSign}[d.Pick%3]] = d.Pick%30 + 1
	case "slow":
		time.Sleep(time.Duration(d.Pick%40+1) * 250 * time.Millisecond)
		synctest.Wait()
	default:
		return false, false
	}
	return true, true
}
