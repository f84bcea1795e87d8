package state

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
)

// DataSource is the UID of the one data source, this server, in dashboards.
const DataSource = "hedgewatch"

// DashboardImport is a dashboard made elsewhere: a Grafana export, the answer of
// Grafana's API with the dashboard in it, or plain dashboard JSON.
type DashboardImport struct {
	JSON   []byte
	Folder string
	// Inputs are values for the inputs that an export asks for, by name. Data
	// sources need none: there is one.
	Inputs    map[string]string
	Overwrite bool
	Who       string
}

// importInput is one of the __inputs of an export.
type importInput struct {
	Name     string `json:"name"`
	Type     string `json:"type"`
	PluginID string `json:"pluginId"`
	Value    string `json:"value"`
}

// ImportDashboard saves a dashboard made elsewhere. The warnings say what will
// not work here.
func (s *State) ImportDashboard(ctx context.Context, in DashboardImport) (d Dashboard, warnings []string, err error) {
	text, warnings, err := resolveImport(in)
	if err != nil {
		return Dashboard{}, nil, err
	}
	save := DashboardSave{JSON: text, Folder: in.Folder, Message: "Imported.", Who: in.Who, Overwrite: in.Overwrite}
	if d, _, err := parseDashboard(text); err == nil && !dashboardUID.MatchString(d.UID) {
		save.UID = newUID()
	}
	d, err = s.SaveDashboard(ctx, save)
	return d, warnings, err
}

// resolveImport returns the JSON with its inputs filled in.
func resolveImport(in DashboardImport) (text []byte, warnings []string, err error) {
	doc, err := parseDocument(in.JSON)
	if err != nil {
		return nil, nil, err
	}
	if inner := doc.get("dashboard"); inner != nil && doc.get("panels") == nil {
		if doc, err = parseDocument(inner); err != nil {
			return nil, nil, err
		}
	}
	inputs, err := decodeMember[[]importInput](doc, "__inputs", "a list of objects")
	if err != nil {
		return nil, nil, err
	}
	doc.remove("__inputs")
	doc.remove("__requires")
	text = doc.text()
	for _, input := range inputs {
		value, warning, err := input.resolve(in.Inputs)
		if err != nil {
			return nil, nil, err
		}
		if warning != "" {
			warnings = append(warnings, warning)
		}
		quoted, err := json.Marshal(value)
		if err != nil {
			return nil, nil, err
		}
		place, quoted := []byte("${"+input.Name+"}"), quoted[1:len(quoted)-1]
		if len(text)+bytes.Count(text, place)*len(quoted) > MaxDashboardBytes {
			return nil, nil, refuse(TooLarge, "dashboard is larger than %d MiB with input %q filled in", MaxDashboardBytes>>20, input.Name)
		}
		text = bytes.ReplaceAll(text, place, quoted)
	}
	return text, warnings, nil
}

// resolve returns what stands in the dashboard instead of ${NAME}.
func (i importInput) resolve(given map[string]string) (value, warning string, err error) {
	if i.Name == "" {
		return "", "", refuse(Invalid, "dashboard: an entry of __inputs has no name")
	}
	if i.Type == "datasource" {
		if i.PluginID != "" && i.PluginID != "prometheus" {
			warning = fmt.Sprintf("input %s asks for a data source of type %s, which there is none of; its panels will show errors", i.Name, i.PluginID)
		}
		return DataSource, warning, nil
	}
	if v, ok := given[i.Name]; ok {
		return v, "", nil
	}
	return i.Value, "", nil
}
