package target_test

import (
	"os"
	"testing"
	"time"

	"chatexport/scripts/chatexport/internal/target"
	"chatexport/scripts/internal/serverless"
)

func TestDefaults_AreWhatIsDeployed(t *testing.T) {
	t.Parallel()
	raw, err := os.ReadFile("../../../../serverless.yml")
	if err != nil {
		t.Fatal(err)
	}
	file, err := serverless.Parse(raw, func(string) string { return "" })
	if err != nil {
		t.Fatal(err)
	}
	in := file.Inputs
	if in.Name != target.DeployedFunction || in.MemorySize != target.DeployedMemory || time.Duration(in.Timeout)*time.Second != target.DeployedTimeLimit {
		t.Errorf("serverless.yml deploys %s with %d MB and %d s", in.Name, in.MemorySize, in.Timeout)
	}
}
