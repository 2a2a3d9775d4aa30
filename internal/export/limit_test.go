package export_test

import (
	"testing"

	"chatexport/internal/layout"
)

// A state is a hint: whoever may write one cannot stop a stream with it, however much it is.
func TestState_TooLargeToBeOneIsNoHint(t *testing.T) {
	play(t, 100, func(s *scene) {
		s.tick()
		s.grow(old(100)...)
		s.put(layout.State(s.stream), tooLarge(layout.State(s.stream)))
		s.tick()
		s.whole()
		if state := s.state(); state.Frontier != 201 {
			t.Errorf("state %+v", state)
		}
	})
}
