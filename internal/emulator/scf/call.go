package scfemu

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"net/rpc"
	"time"

	"github.com/tencentyun/scf-go-lib/cloudfunction/messages"
)

const (
	callMethod  = "Function.Invoke"
	accountID   = "1250000000"
	accountUIN  = "100000000001"
	runtimeName = "Go1"
)

// call serves one invocation and reports whether the process may serve another.
func (p *Platform) call(ctx context.Context, in *instance, v *Invocation, fault Fault) bool {
	limit := p.config.TimeLimit
	if fault.TimeLimit > 0 {
		limit = fault.TimeLimit
	}
	v.Started = time.Now()
	request, err := p.request(v, limit)
	if err != nil {
		v.Status, v.Error = StatusPlatform, err.Error()
		return true
	}
	timeout := time.NewTimer(limit)
	defer timeout.Stop()
	var kill <-chan time.Time
	if fault.KillAfter > 0 {
		timer := time.NewTimer(fault.KillAfter)
		defer timer.Stop()
		kill = timer.C
	}
	response := &messages.InvokeResponse{}
	call := in.client.Go(callMethod, request, response, make(chan *rpc.Call, 1))
	select {
	case <-call.Done:
		return answered(v, call.Error, response)
	case <-timeout.C:
		v.Status, v.Error = StatusTimeout, fmt.Sprintf("invocation exceeded its time limit of %v", limit)
	case <-kill:
		v.Status, v.Error = StatusExited, "the process was killed"
	case <-ctx.Done():
		v.Status, v.Error = StatusExited, "the platform is shutting down"
	}
	return false
}

func answered(v *Invocation, err error, response *messages.InvokeResponse) bool {
	switch {
	case err != nil:
		v.Status, v.Error = StatusExited, fmt.Sprintf("the process exited: %v", err)
		return false
	case response.Error != nil:
		v.Status, v.Error, v.ErrorType = StatusUserError, response.Error.Message, response.Error.Type
		return !response.Error.ShouldExit // after a panic: the library goes on serving, the platform replaces it
	case len(response.Payload) > maxResponseBytes:
		v.Status, v.Error = StatusResponseTooLarge, "the response exceeds 6 MB"
		return true
	}
	v.Status, v.Response = StatusOK, response.Payload
	return true
}

func (p *Platform) request(v *Invocation, limit time.Duration) (*messages.InvokeRequest, error) {
	environment := map[string]string{
		"SCF_FUNCTIONNAME": p.config.Function, "SCF_FUNCTIONVERSION": p.config.Version, "SCF_NAMESPACE": p.config.Namespace,
		"SCF_RUNTIME": runtimeName, "TENCENTCLOUD_REGION": p.config.Region, "TENCENTCLOUD_APPID": accountID,
		"TENCENTCLOUD_UIN": accountUIN, "TENCENTCLOUD_RUNENV": "SCF", "TENCENTCLOUD_TZ": "UTC", "USER_CODE_ROOT": "/var/user/",
	}
	maps.Copy(environment, p.config.Environment)
	if p.config.Credentials != nil {
		c := p.config.Credentials()
		environment["TENCENTCLOUD_SECRETID"] = c.SecretID
		environment["TENCENTCLOUD_SECRETKEY"] = c.SecretKey
		environment["TENCENTCLOUD_SESSIONTOKEN"] = c.Token
	}
	encoded, err := json.Marshal(environment)
	if err != nil {
		return nil, fmt.Errorf("encode environment: %w", err)
	}
	request := &messages.InvokeRequest{
		Payload: v.Payload, RequestId: v.RequestID, Environment: string(encoded),
		FunctionName: p.config.Function, FunctionVersion: p.config.Version, Namespace: p.config.Namespace,
		MemoryLimitInMb: int32(p.config.MemoryMB), TimeLimitInMs: int32(limit.Milliseconds()),
		TencentcloudRegion: p.config.Region, TencentcloudAppID: accountID, TencentcloudUin: accountUIN,
	}
	if p.config.NoTimeLimit {
		request.TimeLimitInMs = 0
	}
	if !p.config.ZeroDeadline {
		deadline := v.Started.Add(limit).Add(p.config.Skew)
		request.Deadline = messages.InvokeRequest_Timestamp{Seconds: deadline.Unix(), Nanos: int64(deadline.Nanosecond())}
	}
	return request, nil
}
