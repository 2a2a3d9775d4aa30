package sweep

import (
	"testing"
	"time"
)

func TestContinuation_ThatNamesNoBatchWritesNothing(t *testing.T) {
	t.Parallel()
	for _, raw := range []string{
		`x`, `[]`, `{"id":7}`, `{"batch":1}`, `{"id":"20261101T000000Z-00000000","batch":-1}`,
		`{"id":"20261101T000000Z-00000000","batch":1e30}`,
	} {
		inScene(t, func(s *scene) {
			s.groups = longGroups(3)
			sum, err := s.Sweeper.Run(t.Context(), Spec{}, []byte(raw), s.request("forged", time.Minute))
			if err != nil || sum.Outcome != Lost || len(s.keys()) > 0 || len(s.lanes) > 0 {
				t.Errorf("%s: %q, %v, wrote %v", raw, sum.Outcome, err, s.keys())
			}
		})
	}
}
