package agent

import (
	"errors"
	"fmt"
	"io"
	"os"

	"bootswain/launch"
	"bootswain/spec"
)

// maxUserData is EC2's limit for user-data, in bytes before base64.
const maxUserData = 16 << 10

// ConfigCheck says every fault of the launch document in the file name ("-"
// is stdin). What it returns exits with ExitLaunchData.
func ConfigCheck(name string, stdin io.Reader, stdout io.Writer) error {
	doc, err := readDocument(name, stdin)
	if err != nil {
		return err
	}
	o := read(launch.Data{UserData: doc, Given: true})
	if faults, ok := errors.AsType[*spec.Errors](o.err); ok {
		fmt.Fprint(stdout, faults.Long())
	}
	if o.trouble != nil {
		return o.trouble
	}
	if _, err := launch.Unwrap(doc); err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	if len(doc) > maxUserData {
		fmt.Fprintf(stdout, "note: %d bytes; EC2 takes %d. gzip makes it smaller and is understood.\n", len(doc), maxUserData)
	}
	fmt.Fprintf(stdout, "fine: %s, %s\n", count(len(o.spec.Users), "user"), count(len(o.spec.Volumes), "volume"))
	return nil
}

func readDocument(name string, stdin io.Reader) ([]byte, error) {
	if name == "-" {
		return io.ReadAll(stdin)
	}
	b, err := os.ReadFile(name)
	if err != nil {
		return nil, fmt.Errorf("cannot read the document: %w", err)
	}
	return b, nil
}
