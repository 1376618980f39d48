//! The logs of clouds of a file.

use indelible::config::Config;

fn read(sink: &str) -> Result<Config, String> {
    let text = format!("origin = \"auth.example.com/audit\"\npath = \"audit\"\n[[sinks]]\nname = \"siem\"\n{sink}");
    Config::from_toml(&text, "/srv").map_err(|error| error.to_string())
}

#[test]
fn targets_are_read_with_all_their_keys_and_no_others() {
    let aws = "type = \"cloudwatch\"\nregion = \"r\"\ngroup = \"g\"\nstream = \"s\"\n";
    let azure = "type = \"azure\"\nendpoint = \"https://x\"\nrule = \"dcr-1\"\nstream = \"Custom-A_CL\"\n";
    let google = "type = \"google\"\nproject = \"p\"\nlog = \"audit\"\n";
    for sink in [
        "type = \"cloudwatch\"\nregion = \"eu-central-1\"\ngroup = \"audit\"\nstream = \"auth\"\nprofile = \"p\"\n\
         create_missing = true\nendpoint = \"https://vpce\"\ntimeout = \"5s\"",
        &format!("{aws}identity = \"environment\""),
        &format!("{aws}identity = \"container\""),
        &format!("{aws}identity = \"instance\"\nuser_agent = \"auth/1\""),
        &format!("{aws}access_key_id = \"AK\"\nsecret_access_key = {{ env = \"AUDIT_AWS_KEY\" }}"),
        &format!(
            "{aws}access_key_id = \"AK\"\nsecret_access_key = {{ env = \"AUDIT_AWS_KEY\" }}\n\
             session_token = {{ file = \"token\" }}"
        ),
        &format!("{google}identity = \"metadata\""),
        &format!("{azure}auxiliary = true"),
        &format!("{azure}identity = \"managed\"\nclient = \"c\""),
        &format!("{azure}identity = \"workload\""),
        &format!("{azure}tenant = \"t\"\nclient = \"c\"\nclient_secret = {{ env = \"AZURE_CLIENT_SECRET\" }}"),
        &format!("{google}key = {{ file = \"key.json\" }}\nretention = \"400d\"\nendpoint = \"https://x\""),
        &format!("{google}resource = \"generic_node\"\nlabels = {{ location = \"eu\" }}"),
    ] {
        let config = read(sink).unwrap_or_else(|error| panic!("{sink}: {error}"));
        assert!(!format!("{config:?}").contains("eyJ"));
    }
    for (sink, said) in [
        ("type = \"cloudwatch\"\nregion = \"r\"\ngroup = \"g\"", "stream"),
        (&format!("{aws}identity = \"other\""), "container"),
        (&format!("{aws}access_key_id = \"AK\""), "secret_access_key"),
        (
            &format!("{aws}secret_access_key = \"written down\""),
            "not written down",
        ),
        (
            &format!("{aws}profile = \"p\"\nsession_token = {{ env = \"A\" }}"),
            "secret_access_key",
        ),
        (&format!("{google}identity = \"managed\""), "metadata"),
        (
            &format!("{google}identity = \"metadata\"\nkey = {{ file = \"key.json\" }}"),
            "metadata",
        ),
        (&format!("{azure}tenant = \"t\""), "client_secret"),
        (&format!("{azure}identity = \"other\""), "workload"),
        (&format!("{azure}client_secret = \"written down\""), "not written down"),
        (&format!("{google}labels = {{ location = \"eu\" }}"), "resource"),
        (&format!("{google}bucket = \"b\""), "bucket"),
        (
            &format!("{google}endpoint = \"logging.example.com\""),
            "sinks[0].endpoint: it is no URL",
        ),
        (
            &azure.replace("https://x", "x:443"),
            "line 6: sinks[0].endpoint: it is no URL",
        ),
    ] {
        let refused = read(sink).err().unwrap_or_else(|| panic!("{sink} is taken"));
        assert!(
            refused.contains(said) && !refused.contains("written down\""),
            "{refused}"
        );
    }
}
