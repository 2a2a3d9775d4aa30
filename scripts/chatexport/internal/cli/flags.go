package cli

import (
	"cmp"
	"fmt"

	"github.com/spf13/pflag"
)

// JSONFlag adds the flag by which a command prints its result for programs.
func JSONFlag(flags *pflag.FlagSet, value *bool) {
	flags.BoolVar(value, "json", false, "print the result as JSON")
}

// Between returns an error unless a flag's value is in the closed range.
func Between[T cmp.Ordered](flag string, value, least, most T) error {
	if value < least || value > most {
		return fmt.Errorf("%s %v is not between %v and %v", flag, value, least, most)
	}
	return nil
}
