package agent

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"bootswain/launch"
	"bootswain/spec"
)

// maxUserData is EC2's limit for user-data, in bytes before base64.
const maxUserData = 16 << 10

// ConfigCheck says every fault of a launch document, and warns of what looks
// like a secret in it. A document with faults exits with ExitLaunchData.
func ConfigCheck(ctx context.Context, o CheckOptions, stdin io.Reader, stdout io.Writer) error {
	data, account, err := o.data(ctx, stdin)
	if err != nil {
		return err
	}
	asked := readWith(data, o.roles())
	var faults *spec.Errors
	errors.As(asked.err, &faults)
	if over := tooLong(data.UserData); over != nil && !o.Included {
		faults = &spec.Errors{Faults: append(over.Faults, faultsOf(faults)...)}
		asked.err, asked.trouble = faults, faulty(faults)
	}
	if faults != nil {
		fmt.Fprint(stdout, faults.Long())
	}
	if asked.trouble != nil && asked.err != nil {
		return asked.trouble
	}
	bare, err := launch.Unwrap(data.UserData)
	if err != nil {
		return fmt.Errorf("%s: %w", o.File, err)
	}
	secrets := spec.PlainSecrets(bare)
	texts, err := launch.Beside(data.UserData)
	if err != nil { // nothing that keeps the document from being read
		fmt.Fprintf(stdout, "note: not all that stands beside the document was looked at: %v\n", err)
	}
	for _, t := range texts {
		for _, f := range spec.PlainSecretsBeside(t.Text) {
			f.Layer = t.Name
			secrets = append(secrets, f)
		}
	}
	for _, f := range secrets {
		fmt.Fprintf(stdout, "warning: %s: whoever may describe the instance, or runs on it, can read it\n", f)
	}
	switch {
	case o.AWS:
		if err := reviewAWS(ctx, account, o.Zone, asked.spec, stdout); err != nil {
			return err
		}
	case asked.spec.Include != "" && data.Included == nil:
		fmt.Fprintf(stdout, "note: checked without %s\n", asked.spec.Include)
	}
	fmt.Fprintf(stdout, "fine: %s, %s\n", count(len(asked.spec.Users), "user"), count(len(asked.spec.Volumes), "volume"))
	return nil
}

func faultsOf(e *spec.Errors) []spec.Fault {
	if e == nil {
		return nil
	}
	return e.Faults
}

// tooLong returns the fault of user-data that EC2 would not take, or nil.
func tooLong(doc []byte) *spec.Errors {
	if len(doc) <= maxUserData {
		return nil
	}
	var packed bytes.Buffer
	z, _ := gzip.NewWriterLevel(&packed, gzip.BestCompression) // the level is a sound one
	_, _ = z.Write(doc)                                        // a buffer takes everything
	_ = z.Close()
	hint := "put it into S3 and include: it"
	if packed.Len() <= maxUserData {
		hint = fmt.Sprintf("gzip -9 makes it %d, and is understood", packed.Len())
	}
	return &spec.Errors{Faults: []spec.Fault{{
		Line: 1, Column: 1, Message: fmt.Sprintf("the document has %d bytes; EC2 takes %d", len(doc), maxUserData), Hint: hint,
	}}}
}

// ConfigShow prints what a launch document and its role come to, and where each
// value came from. Secrets are not in it.
func ConfigShow(ctx context.Context, o CheckOptions, stdin io.Reader, stdout io.Writer) error {
	var data launch.Data
	var err error
	if o.File == "" {
		data, err = launch.Load(launchFile)
	} else {
		data, _, err = o.data(ctx, stdin)
	}
	if err != nil {
		return err
	}
	if !data.Given {
		fmt.Fprintln(stdout, "# launched without user-data")
		return nil
	}
	layers, err := layersOf(data, o.roles())
	if err != nil {
		return err
	}
	shown, err := spec.Show(layers...)
	if err != nil {
		fmt.Fprint(stdout, faultsText(err))
		return faulty(err)
	}
	if _, include := spec.Below(layers[0].Text); include != "" && data.Included == nil {
		fmt.Fprintf(stdout, "# without %s\n", include)
	}
	_, err = stdout.Write(shown)
	return err
}

func faultsText(err error) string {
	if faults, ok := errors.AsType[*spec.Errors](err); ok {
		return faults.Long()
	}
	return ""
}

// ConfigSchema prints the JSON Schema of the document.
func ConfigSchema(stdout io.Writer) error {
	e := json.NewEncoder(stdout)
	e.SetIndent("", "  ")
	e.SetEscapeHTML(false)
	return e.Encode(spec.Schema())
}
