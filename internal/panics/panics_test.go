package panics_test

import (
	"errors"
	"strings"
	"testing"

	"chatexport/internal/panics"
)

func TestCaught(t *testing.T) {
	t.Parallel()
	failure := errors.New("failure")
	if err := panics.Caught(func() error { return failure }); !errors.Is(err, failure) {
		t.Errorf("error %v", err)
	}
	if err := panics.Caught(func() error { return nil }); err != nil {
		t.Error(err)
	}
	err := panics.Caught(func() error { panic("out of range") })
	if err == nil || !strings.Contains(err.Error(), "out of range") || !strings.Contains(err.Error(), "panics_test.go") {
		t.Errorf("error %v", err)
	}
}
