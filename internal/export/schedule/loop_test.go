package schedule_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing/synctest"
	"time"

	"chatexport/internal/archive"
	"chatexport/internal/export"
	"chatexport/internal/layout"
	"chatexport/internal/objstore"
	"chatexport/internal/objstore/memstore"
)

// run drives the schedule to its end, and then lets one tick with sound services finish the archive.
func (m *sim) run() {
	defer m.close()
	m.prepare()
	m.tick(false)
	m.drain()
	m.note("services are sound, leases have passed")
	m.disturbances, m.outage, m.staleNext, m.lateNext = nil, nil, 0, false
	m.alterSome()
	time.Sleep(20 * time.Minute)
	m.late, m.sound = nil, true
	m.tick(false)
	m.drain()
	m.awaitFiles()
	m.awaitLooks()
	m.compare()
	m.idleTick()
	m.afford()
	m.stats.Chunks += len(m.chain.chunks)
	m.stats.Receipts += len(m.chain.trail.receipts)
	m.stats.Parts += m.chain.trail.parts
	m.stats.Orphans += m.chain.trail.orphans
}

// prepare makes the group, and the archive that there is already.
func (m *sim) prepare() {
	if m.setting.Begun > 0 {
		m.history(m.setting.Begun)
		disturbances, pace := m.disturbances, m.setting.Pace
		m.disturbances, m.setting.Pace = nil, time.Microsecond
		m.tick(false)
		m.drain()
		m.disturbances, m.setting.Pace, m.stats = disturbances, pace, simStats{}
	}
	m.history(m.setting.Messages)
	if m.setting.Floor > 1 {
		m.expire(m.setting.Floor)
	}
	m.begin, m.trace = time.Now(), nil
}

// drain steps until nothing is under way or in the queue.
func (m *sim) drain() {
	for {
		synctest.Wait()
		time.Sleep(moment) // whoever waits for the limiter comes to the gate, too, in whatever order
		synctest.Wait()
		m.land()
		m.check()
		if m.idle() {
			return
		}
		m.stats.Steps++
		if m.stats.Steps > maxSteps {
			m.fail("the schedule does not end")
		}
		m.step()
	}
}

// idle reports whether nothing is under way, and whether that may be so.
func (m *sim) idle() bool {
	if len(m.flights) > 0 || len(m.events) > 0 {
		return false
	}
	m.rest()
	for len(m.disturbances) > 0 && len(m.events) == 0 {
		m.disturb() // only a tick sets something going
		m.disturbances = m.disturbances[1:]
	}
	return len(m.events) == 0
}

// rest proves that work that was begun is finished, once nobody is left to go on with it.
func (m *sim) rest() {
	if m.active && !m.dropped {
		switch {
		case !m.finished:
			m.fail("the run was lost: nothing is under way or in the queue, and no batch has found everything archived")
		case m.chain.listed != m.chain.next:
			m.fail("at rest, the frontier is %d and manifests reach %d", m.chain.next, m.chain.listed)
		case m.chain.genesis != nil && m.chain.next > m.chain.genesis.FirstLo && m.chain.status == archive.StatusPartial:
			m.fail("at rest, the last manifest is %s", m.chain.status)
		}
	}
	// A run that the queue lost is nobody's until a tick finds its lease over.
	m.active, m.dropped, m.finished = false, m.dropped && !m.finished, false
}

// check proves what must be true after every step.
func (m *sim) check() {
	m.chain.mu.Lock()
	problems := m.chain.problems
	m.chain.mu.Unlock()
	if len(problems) > 0 {
		m.fail("%v", problems)
	}
}

// step lets one call go, delivers one event, or lets time pass.
func (m *sim) step() {
	if m.wait--; m.wait < 0 && len(m.disturbances) > 0 && m.disturb() {
		m.disturbances = m.disturbances[1:]
		if len(m.disturbances) > 0 {
			m.wait = m.disturbances[0].After
		}
		return
	}
	calls, due := m.gate.calls(), m.due()
	if m.arriveLate() {
		return
	}
	if len(calls)+len(due) == 0 {
		m.sleep()
		return
	}
	if m.random.IntN(100) < m.setting.Sticky {
		if same := slices.DeleteFunc(slices.Clone(calls), func(c *simCall) bool { return c.flight != m.last }); len(same) > 0 {
			calls, due = same, nil
		}
	}
	at := m.random.IntN(len(calls) + len(due))
	if at >= len(calls) {
		e := due[at-len(calls)]
		m.take(e)
		m.start(e)
		return
	}
	m.let(calls[at], m.answer(calls[at]))
}

// let gives a call its answer after the time that it takes.
func (m *sim) let(c *simCall, a simAnswer) bool {
	m.pace()
	if !m.gate.release(c, a) {
		return false
	}
	m.last = c.flight
	c.flight.passed = c.flight.passed || !strings.HasPrefix(c.key, layout.StatePrefix[:2]+"/")
	m.calls[c.kind]++
	m.note("%v%s", c, a.text())
	synctest.Wait()
	return true
}

// pace lets as much time pass as a call takes, of which several are under way side by side.
func (m *sim) pace() {
	d := m.setting.Pace/4 + time.Duration(m.random.Int64N(int64(m.setting.Pace)))
	d /= time.Duration(max(1, len(m.gate.calls())))
	if m.random.IntN(50) == 0 && !m.sound {
		d *= 15
	}
	time.Sleep(d)
	synctest.Wait()
}

func (a simAnswer) text() string {
	text := ""
	if a.chat != nil {
		text += fmt.Sprintf(" FAULT code %d status %d", a.chat.ErrorCode, a.chat.Status)
	}
	if a.store.Lost || a.store.Retried || a.store.Stale || a.store.Later != nil || a.store.Err != nil {
		text += fmt.Sprintf(" FAULT lost %t retried %t stale %t later %t err %v", a.store.Lost, a.store.Retried, a.store.Stale, a.store.Later != nil, a.store.Err)
	}
	if a.err != nil {
		text += fmt.Sprintf(" FAULT refused %t err %v", a.refuse, a.err)
	}
	return text
}

func (m *sim) due() []*simEvent {
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.DeleteFunc(slices.Clone(m.events), func(e *simEvent) bool { return e.due.After(time.Now()) })
}

// take removes an event from the queue.
func (m *sim) take(e *simEvent) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.events = slices.DeleteFunc(m.events, func(other *simEvent) bool { return other == e })
}

// sleep waits until a call arrives, a batch ends, or an event is due.
func (m *sim) sleep() {
	next := time.Hour
	for _, e := range m.events {
		next = min(next, time.Until(e.due))
	}
	select {
	case <-m.gate.bell:
	case <-time.After(max(next, time.Millisecond)):
	}
}

// arriveLate lets one of the writes arrive that are under way although nobody waits for them.
func (m *sim) arriveLate() bool {
	m.mu.Lock()
	m.late = slices.DeleteFunc(m.late, func(w *lateWrite) bool { return time.Now().After(w.until) })
	late := slices.Clone(m.late)
	m.mu.Unlock()
	if len(late) == 0 || m.random.IntN(8) > 0 {
		return false
	}
	w := late[m.random.IntN(len(late))]
	m.mu.Lock()
	m.late = slices.DeleteFunc(m.late, func(other *lateWrite) bool { return other == w })
	m.mu.Unlock()
	stored := w.arrive()
	m.note("%s arrives late: stored %t", w.what, stored)
	m.stats.Late++
	return true
}

// answer decides about a call that nothing special is meant for.
func (m *sim) answer(c *simCall) simAnswer {
	a := simAnswer{}
	reader := fmt.Sprintf("b%d %s", c.flight.n, c.key)
	switch {
	case m.outage[c.kind] > 0:
		m.outage[c.kind]--
		return m.broken(c)
	case m.staleNext > 0 && (c.kind == callHead || c.kind == callGet && c.key[:2] == layout.StatePrefix[:2]) && m.stale[reader] < staleInARow:
		m.staleNext--
		m.stale[reader]++
		a.store.Stale = true
		m.stats.Stale++
	case m.lateNext && (c.kind == callCreate || c.kind == callOverwrite):
		m.lateNext = false
		a.store = memstore.Fault{Later: m.mayArrive(c.flight, string(c.kind)+" "+c.key), Err: errors.Join(objstore.ErrUnknown, errOutage)}
	case c.kind == callHead:
		delete(m.stale, reader)
	}
	return a
}

// land notes what became of batches that have ended.
func (m *sim) land() {
	m.gate.mu.Lock()
	ended := slices.DeleteFunc(slices.Clone(m.flights), func(f *flight) bool { return !f.ended })
	m.flights = slices.DeleteFunc(m.flights, func(f *flight) bool { return f.ended })
	m.gate.mu.Unlock()
	for _, f := range ended {
		m.stats.Pages += f.pages
		m.stats.OwnChunks += f.own
		m.stats.Leftovers += f.leftovers
		m.stats.SameBytes += f.sameBytes
		m.stats.Taken += f.taken
		if f.dead {
			continue
		}
		m.note("b%d ends: %s frontier %d, %v", f.n, f.result.Outcome, f.result.Frontier, f.err)
		if f.endedAt.After(f.ends) {
			m.fail("b%d ended %v after its deadline", f.n, f.endedAt.Sub(f.ends))
		}
		m.judge(f)
	}
}

func (m *sim) judge(f *flight) {
	if f.err != nil {
		if errors.Is(f.err, archive.ErrFormat) || errors.Is(f.err, archive.ErrInvalid) {
			m.fail("b%d: %v", f.n, f.err)
		}
		m.stats.Failed++
		m.active = m.active || f.passed
		m.again(f)
		return
	}
	switch f.result.Outcome {
	case export.AlreadyRunning:
		return
	case export.Complete:
		m.finished = true
	case export.LostRace:
		m.stats.LostRaces++
	case export.Continued:
		m.stats.Continued++
		if f.event.known != nil {
			m.publish(f, decoded(m.t, f.result.Next))
		}
	case archive.StatusGone, export.Unknown:
		m.finished = true
		m.stats.Gone++
		if !m.dissolved {
			m.fail("b%d takes the group for gone", f.n)
		}
	default:
		m.fail("b%d ends with %s: %s", f.n, f.result.Outcome, m.stateText())
	}
	m.active = true
}
