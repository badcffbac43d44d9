//! Languages: ASF has the tags of RFC 1766, `ffprobe` the three letters of ISO 639-2, bibliographic ones where there
//! are two.

/// Codes of ISO 639-1, each with that of ISO 639-2 right behind it.
const CODES: &str = "\
    aaaar ababk aeave afafr akaka amamh anarg arara asasm avava ayaym azaze babak bebel bgbul bhbih \
    bibis bmbam bnben botib brbre bsbos cacat ceche chcha cocos crcre cscze cuchu cvchv cywel dadan \
    deger dvdiv dzdzo eeewe elgre eneng eoepo esspa etest eubaq faper ffful fifin fjfij fofao frfre \
    fyfry gagle gdgla glglg gngrn guguj gvglv hahau heheb hihin hohmo hrhrv hthat huhun hyarm hzher \
    iaina idind ieile igibo iiiii ikipk ioido isice itita iuiku jajpn jvjav kageo kgkon kikik kjkua \
    kkkaz klkal kmkhm knkan kokor krkau kskas kukur kvkom kwcor kykir lalat lbltz lglug lilim lnlin \
    lolao ltlit lulub lvlav mgmlg mhmah mimao mkmac mlmal mnmon mrmar msmay mtmlt mybur nanau nbnob \
    ndnde nenep ngndo nldut nnnno nonor nrnbl nvnav nynya ococi ojoji omorm orori ososs papan pipli \
    plpol pspus ptpor quque rmroh rnrun rorum rurus rwkin sasan scsrd sdsnd sesme sgsag sisin skslo \
    slslv smsmo snsna sosom sqalb srsrp ssssw stsot susun svswe swswa tatam tetel tgtgk ththa titir \
    tktuk tltgl tntsn toton trtur tstso tttat twtwi tytah uguig ukukr ururd uzuzb veven vivie vovol \
    wawln wowol xhxho yiyid yoyor zazha zhchi zuzul";

/// The three letters for a tag such as `en-US`; `None` when its language is not known.
pub(super) fn three_letters(tag: &str) -> Option<&'static str> {
    let two = tag.get(..2)?.to_ascii_lowercase();
    if tag.as_bytes().get(2).is_some_and(|next| *next != b'-') {
        return None;
    }
    CODES.split(' ').find_map(|code| code.strip_prefix(&two))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_language_counts_and_the_country_does_not() {
        assert_eq!(three_letters("en-US"), Some("eng"));
        assert_eq!(three_letters("DE"), Some("ger"));
        assert_eq!(three_letters("zu"), Some("zul"));
        assert_eq!(three_letters("xx-YY"), None);
        assert_eq!(three_letters("eng"), None);
        assert_eq!(three_letters("e"), None);
        assert_eq!(three_letters("éa"), None);
    }

    #[test]
    fn all_codes_are_of_two_and_three_letters() {
        assert!(
            CODES
                .split(' ')
                .all(|code| code.len() == 5 && code.bytes().all(|byte| byte.is_ascii_lowercase()))
        );
    }
}
