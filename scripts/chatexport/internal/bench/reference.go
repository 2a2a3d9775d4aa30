package bench

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/tencentyun/tls-sig-api-v2-golang/tencentyun"

	"chatexport/scripts/chatexport/internal/emulated"
)

// referenceName is the hidden command that runs the reference in a process of its own, so that its CPU time and memory
// can be told from this one's.
const referenceName = "bench-reference"

// reference is what the reference is told, on its standard input.
type reference struct {
	BaseURL   string
	SecretKey string
	GroupID   string
	Messages  int // newest ones to pull

	Files  []string // URLs: these are copied to the bucket instead
	Bucket bucket
}

// referenceResult is what it tells, on its standard output.
type referenceResult struct {
	Messages   int
	Calls      int
	Files      int
	FileBytes  int64
	Bytes      int
	Elapsed    time.Duration
	PeakMemory int64 // bytes resident; what the system tells of an ended child would be its parent's at the fork
}

// message and page are what somebody writes who reads the API page: a struct for everything.
type message struct {
	FromAccount  string          `json:"From_Account"`
	IsPlaceMsg   int             `json:"IsPlaceMsg"`
	IsSystemMsg  int             `json:"IsSystemMsg,omitempty"`
	MsgBody      json.RawMessage `json:"MsgBody"`
	MsgPriority  int             `json:"MsgPriority"`
	MsgRandom    uint32          `json:"MsgRandom"`
	MsgSeq       uint32          `json:"MsgSeq"`
	MsgTimeStamp int64           `json:"MsgTimeStamp"`
}

type page struct {
	ActionStatus string    `json:"ActionStatus"`
	ErrorCode    int       `json:"ErrorCode"`
	ErrorInfo    string    `json:"ErrorInfo"`
	IsFinished   int       `json:"IsFinished"`
	RspMsgList   []message `json:"RspMsgList"`
}

// Reference returns the hidden command.
func Reference() *cobra.Command {
	return &cobra.Command{
		Use: referenceName, Hidden: true, Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			var r reference
			if err := json.NewDecoder(cmd.InOrStdin()).Decode(&r); err != nil {
				return fmt.Errorf("read what to do: %w", err)
			}
			do := r.pull
			if len(r.Files) > 0 {
				do = r.copyFiles
			}
			result, err := do(cmd.Context())
			if err != nil {
				return err
			}
			return json.NewEncoder(cmd.OutOrStdout()).Encode(result)
		},
	}
}

// pull does it as the API page describes: one page after the other, from the newest message downwards.
func (r reference) pull(ctx context.Context) (referenceResult, error) {
	start := time.Now()
	sig, err := tencentyun.GenUserSig(emulated.SDKAppID, r.SecretKey, "administrator", 86400)
	if err != nil {
		return referenceResult{}, fmt.Errorf("sign: %w", err)
	}
	var out bytes.Buffer
	z := gzip.NewWriter(&out)
	lines := json.NewEncoder(z)
	result := referenceResult{}
	for seq := uint32(0); result.Messages < r.Messages; {
		p, err := r.page(ctx, sig, seq)
		if err != nil {
			return result, err
		}
		result.Calls++
		if len(p.RspMsgList) == 0 {
			break
		}
		for _, m := range p.RspMsgList {
			if err := lines.Encode(m); err != nil {
				return result, fmt.Errorf("encode message: %w", err)
			}
		}
		result.Messages += len(p.RspMsgList)
		seq = p.RspMsgList[len(p.RspMsgList)-1].MsgSeq - 1
		if seq == 0 {
			break
		}
	}
	if err := z.Close(); err != nil {
		return result, fmt.Errorf("close gzip: %w", err)
	}
	result.Bytes, result.Elapsed, result.PeakMemory = out.Len(), time.Since(start), peakMemory()
	return result, nil
}

// peakMemory reads the largest resident size of this process; 0 where the system does not tell.
func peakMemory() int64 {
	raw, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return 0
	}
	for line := range strings.Lines(string(raw)) {
		if rest, ok := strings.CutPrefix(line, "VmHWM:"); ok {
			kilobytes, err := strconv.ParseInt(strings.TrimSuffix(strings.TrimSpace(rest), " kB"), 10, 64)
			if err != nil {
				return 0
			}
			return kilobytes << 10
		}
	}
	return 0
}

func (r reference) page(ctx context.Context, sig string, seq uint32) (page, error) {
	ask := map[string]any{"GroupId": r.GroupID, "ReqMsgNumber": 20}
	if seq > 0 {
		ask["ReqMsgSeq"] = seq
	}
	body, err := json.Marshal(ask)
	if err != nil {
		return page{}, fmt.Errorf("encode request: %w", err)
	}
	query := url.Values{
		"sdkappid": {strconv.Itoa(emulated.SDKAppID)}, "identifier": {"administrator"}, "usersig": {sig},
		"random": {strconv.FormatUint(uint64(rand.Uint32()), 10)}, "contenttype": {"json"},
	}
	address := r.BaseURL + "/v4/group_open_http_svc/group_msg_get_simple?" + query.Encode()
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, address, bytes.NewReader(body))
	if err != nil {
		return page{}, errors.New("make request") // the error would quote the signature
	}
	response, err := http.DefaultClient.Do(request) //nolint:forbidigo // the reference does what people do
	if err != nil {
		return page{}, errors.New("the call failed") // the error would quote the signature
	}
	defer func() { _ = response.Body.Close() }()
	raw, err := io.ReadAll(response.Body)
	if err != nil {
		return page{}, fmt.Errorf("read answer: %w", err)
	}
	var p page
	if err := json.Unmarshal(raw, &p); err != nil {
		return page{}, fmt.Errorf("decode answer: %w", err)
	}
	if p.ErrorCode != 0 {
		return page{}, fmt.Errorf("code %d: %s", p.ErrorCode, p.ErrorInfo)
	}
	return p, nil
}

// measureReference runs the reference in a process of its own.
func measureReference(ctx context.Context, r reference) (figures, error) {
	self, err := os.Executable()
	if err != nil {
		return figures{}, fmt.Errorf("find this program: %w", err)
	}
	ask, err := json.Marshal(r)
	if err != nil {
		return figures{}, fmt.Errorf("encode what to do: %w", err)
	}
	cmd := exec.CommandContext(ctx, self, referenceName)
	cmd.Stdin = bytes.NewReader(ask)
	var out, complaint bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &complaint
	if err := cmd.Run(); err != nil {
		return figures{}, fmt.Errorf("run the reference: %w: %s", err, bytes.TrimSpace(complaint.Bytes()))
	}
	var result referenceResult
	if err := json.Unmarshal(out.Bytes(), &result); err != nil {
		return figures{}, fmt.Errorf("read the reference's result: %w", err)
	}
	return figures{
		Name: "reference", Messages: int64(result.Messages), Calls: int64(result.Calls), Bytes: int64(result.Bytes),
		Files: int64(result.Files), FileBytes: result.FileBytes,
		Elapsed: result.Elapsed, PeakMemory: result.PeakMemory,
		CPU: cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime(),
	}, nil
}
