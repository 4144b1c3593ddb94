//! Sentences by the kinds of what is easily taken for their ends: abbreviations of many languages, numbers, names with dots, lists,
//! quotations, dots in a row. Every case comes whole, letter by letter, and at every split in two.

use chatwire::stream::{SentenceOptions, Splitter};

/// The kinds, each with its cases, a line each. `‖` stands where a sentence ends.
const KINDS: &[(&str, &str)] = &[
    (
        "abbreviations of English",
        r#"Mr. and Mrs. Rao, Dr. Sen, etc. came.‖ All ate.
See Fig. 3 and Sec. 4.2.‖ They agree.
No. 5 is alive.‖ No.‖ It is not.
St. Mary's Rd. is closed.‖ Use 5th Ave. instead.
J. K. Rowling wrote it.‖ J.R.R. Tolkien did not.
She has a Ph.D. in physics.‖ He has an M.B.A.‖ They teach.
Yahoo! Inc. was sold.‖ Verizon bought it.
Is it so?‖ No.‖ They left.‖ Really?‖ I see!‖ Let me look.
Is it on Dec. 5?‖ No.‖ Kim left.‖ Thanks!‖ Love
See ver. 2.0 and No. 1.‖ Yes.
The U.S.A. is large.‖ I live in the U.S.A.‖ Where do you live?
I got 5 vs. 3.‖ We won.
Use e.g. Deno, i.e. a runtime.‖ Done."#,
    ),
    (
        "abbreviations of English in India",
        r#"It costs Rs. 500 only.‖ Pay Rs. 50 now.
The fee is Rs. 1,00,000/- per year.‖ Pay online.
Infosys Pvt. Ltd. hired him.‖ He is happy.
He works at Tata Pvt. Ltd.‖ She works at Wipro.
Smt. Indira and Shri. Rajiv spoke.‖ People clapped.
Sri. Ramesh and Smt. Gita came.‖ They sat.
Qn. 5 is hard.‖ He is in Std. 10 now.‖ She is in Std. 9.
Regd. Office: No. 12, M.G. Rd., Bengaluru.‖ Call us.
The Hon. Minister met Dr. A.P.J. Abdul Kalam.‖ They spoke.
Meet Col. Sharma at 5 p.m. on M.G. Road.‖ Do not be late.
Send it to the Govt. of India.‖ They will reply.
He is from U.P. and she is from M.P.‖ They met in Delhi.
Ph. No. 98450 12345 is his number.‖ Call him.
Ph. No.: 98450 12345.‖ Mob. No.: 99000 12345.‖ Thanks.
Meet Adv. Rao at H. No. 4-5-6, St. No. 7.‖ Bring papers."#,
    ),
    (
        "abbreviations of Hindi and Marathi",
        r#"कीमत रु. 500 है।‖ धन्यवाद।
डॉ. ए.पी.जे. अब्दुल कलाम आए।‖ वे बोले।
श्रीमती. गांधी और कु. राधा आईं।‖ सब खुश थे।
वह बी.ए. और एम.ए. है।‖ वह पढ़ाता है।
एबीसी प्रा. लि. में है।‖ अच्छा।
दि. 5.10.2024 को आएँ।‖ ता. 5 को मिलें।‖ ठीक है।
मा. मुख्यमंत्री आए।‖ भाषण दिया।
म.प्र. और उ.प्र. बड़े राज्य हैं।‖ राजस्थान भी।
डॉ. पाटील आले.‖ ते बसले.
सौ. कुलकर्णी व श्री. जोशी आले.‖ चहा घेतला.
किंमत रु. २५० आहे.‖ घ्या.
ॲड. शिंदे व प्रा. देशमुख आले.‖ बैठक झाली."#,
    ),
    (
        "abbreviations of Bengali, Gujarati, Punjabi and Odia",
        r#"অধ্যাপক ড. মুহাম্মদ ইউনূস বললেন।‖ সবাই শুনল।
মো. করিম ও ডা. রায় এলেন।‖ বসলেন।
ডঃ সেন এলেন।‖ মোঃ করিম গেলেন।
ડૉ. પટેલ આવ્યા.‖ તેઓ બેઠા.
કિંમત રૂ. ૫૦૦ છે.‖ લો.
ਡਾ. ਸਿੰਘ ਆਏ।‖ ਉਹ ਬੈਠੇ।
ଡା. ଦାସ ଆସିଲେ।‖ ସେ ବସିଲେ।
ଶ୍ରୀ. ଜେନା ଆସିଲେ।‖ ଭଲ।"#,
    ),
    (
        "abbreviations of Tamil, Telugu, Kannada and Malayalam",
        r#"விலை ரூ. 500 மட்டும்.‖ வாங்குங்கள்.
திருமதி. லதா வந்தார்.‖ அமர்ந்தார்.
எம்.ஜி.ஆர். நடிகர்.‖ அவர் நல்லவர்.
டாக்டர். குமார் வந்தார்.‖ பேசினார்.
డా. రావు గారు వచ్చారు.‖ కూర్చున్నారు.
ధర రూ. 250 మాత్రమే.‖ కొనండి.
శ్రీమతి. లక్ష్మి వచ్చింది.‖ అందరూ చూశారు.
ఎన్.టి.ఆర్. నటుడు.‖ ఆయన గొప్పవాడు.
ಬೆಲೆ ರೂ. 300 ಆಗಿದೆ.‖ ಸರಿ.
ಶ್ರೀ. ರಾಮಯ್ಯ ಬಂದರು.‖ ಕುಳಿತರು.
ശ്രീ. രാമൻ വന്നു.‖ അദ്ദേഹം ഇരുന്നു.
വില രൂ. 100 ആണ്.‖ വാങ്ങൂ."#,
    ),
    (
        "abbreviations of Indonesian",
        r#"Harga Rp. 50.000 per kg.‖ Murah.
Alamat: Jl. Sudirman No. 5, No. Telp. (021) 555-1234.‖ Hubungi kami.
No. HP 0812-3456-7890 aktif.‖ Silakan hubungi.
Bapak H. Ahmad, S.Pd., M.Si. hadir.‖ Terima kasih.
Jl. Merdeka No. 10, Kec. Cidadap, Kab. Bandung.‖ Dekat.
Ada apel, jeruk, dsb.‖ Kita beli.
Prof. Dr. Ir. Habibie lahir tgl. 25 Juni.‖ Beliau hebat.
Kirim a.n. Budi, d.a. PT. Maju.‖ Segera.
Ibu Hj. Siti dan Drs. Amir datang pk. 9.30.‖ Acara mulai."#,
    ),
    (
        "abbreviations of Vietnamese",
        r#"TP. HCM có Q.1 và Q.3.‖ Rất đông.
GS.TS. Trần và BS. Lê nói.‖ Mọi người nghe.
Giá 1.500.000 đ.‖ Rẻ quá!
ThS. Hoa ở P. 5, Q. 3.‖ Cô ấy vui.
Ông ở Tp. Hồ Chí Minh.‖ Bà ở Huế.
ĐH. Bách Khoa tuyển sinh.‖ Nộp đơn.
Đ/c ở Q.1, TP.HCM.‖ Gọi nhé.
Có cam, táo, v.v.‖ Tôi ăn."#,
    ),
    (
        "numbers, versions, times and dates",
        r#"Pi is 3.14159.‖ E is 2.71828.
版本２．０发布了。‖下载吧。
Use C++ or C#.‖ Both work.‖ Not F#.‖ Both did.
Use Node.js and .NET 8.‖ Install Next.js 14.2.‖ Then run main.py.‖ Stop.
Steps: 1. Open it.‖ 2. Close it.‖ 3. Go.
1. Apples‖ 2. Pears‖ 3. Plums
Version 2.0.1 is out.‖ Get v3.1 too.
Born on 12.05.1990.‖ He is 36.
IP is 192.168.1.1.‖ Port is 80.
At 10:30 a.m. IST it began.‖ All came.
The meeting is at 5 p.m. tomorrow.‖ Bring it.
It is 7 p.m.‖ We are late.
We open at 9 a.m. and close at 6 p.m.‖ See you then.
It is 5 m.‖ Tom ran.
円周率は３．１４です。‖次。
価格は１，２３４．５０円。‖安い。
体重は６５．５ｋｇ。‖元気です。
सुबह 10.30 बजे आइए।‖ देर मत कीजिए!
காலை 9.30 மணிக்கு வாருங்கள்.‖ நன்றி.
قیمت 12.50 ریال است.‖ بخرید."#,
    ),
    (
        "names and addresses with dots",
        r#"Node.js is fast.‖ Vue.js is small.‖ I use Next.js.‖ Do you?
Open https://example.com/a.b?c=1.‖ Then log in.
Write to a.b@c.co.in.‖ We will answer.
First, open main.rs.‖ Then run cargo test.
Use fs.promises.readFile here.‖ It works.
Files: a.txt, b.tar.gz.‖ Delete them.
Visit www.gov.in.‖ It is official.
ASP.NET Core 8.0 is out.‖ C# too.
Yahoo! is old.‖ Jeopardy! too."#,
    ),
    (
        "lists on one line",
        r#"1. Milk‖ 2. Eggs‖ 3. Bread
Steps: 1) Open it.‖ 2) Close it.
(1) Open.‖ (2) Close.
a) Milk‖ b) Eggs
a. Milk‖ b. Eggs
Either way: a. Take the bus‖ b. Walk home
• Milk‖ • Eggs"#,
    ),
    (
        "quotations and brackets",
        r#"“Go.”‖ He went.
He said, ‘Stop.’‖ We did.
«Да.»‖ Он ушёл.
Is that “it”?‖ Yes.
It ended (finally!).‖ We left.
(It was late.)‖ We went home.
She said (loudly!) that it was late.‖ Ok.
[Note: see p. 5.]‖ Go on.
मुख्यमंत्री ने कहा, "ठीक है।"‖ फिर गए।
(笑)そうですね。‖はい。"#,
    ),
    (
        "dots in a row",
        r#"Well… I don't know.‖ Maybe.
So…‖ Then he left.
Hmm...‖ Okay.
Wait... what?‖ Really?!
I said ... nothing.‖ Ok."#,
    ),
    (
        "questions and other marks",
        r#"क्या?‖ सच!‖ हाँ।
هل تسمعني؟‖ نعم، أسمعك.‖ تفضل!
د. علي و أ. محمد هنا.‖ أهلا بهما.
آپ کیسے ہیں؟‖ میں ٹھیک ہوں۔‖ شکریہ!
你去吗？‖我去！‖好。
สวัสดีครับ!‖ ยินดีต้อนรับ
ราคา 3.50 บาท ถูกมาก
พ.ศ. 2567 เป็นปีมังกร
นพ. สมชาย มาแล้ว
ดร. มานี อยู่ที่ กทม. วันนี้"#,
    ),
];

fn sentences<'a>(pieces: impl IntoIterator<Item = &'a str>) -> String {
    let mut splitter = Splitter::new(&SentenceOptions::default());
    let mut given = Vec::new();
    for piece in pieces {
        splitter.feed(piece, |sentence| given.push(sentence.text.to_owned()));
    }
    splitter.flush(|sentence| given.push(sentence.text.to_owned()));
    given.join("‖")
}

#[test]
fn each_kind_is_cut_where_its_sentences_end_at_every_split() {
    let mut wrong = Vec::new();
    let mut count = 0;
    for (kind, cases) in KINDS {
        for case in cases.lines() {
            count += 1;
            let text = case.replace('‖', "");
            let given = sentences([text.as_str()]);
            let ends = text.char_indices().map(|(at, letter)| at + letter.len_utf8());
            let letters: Vec<&str> = text
                .char_indices()
                .map(|(at, letter)| &text[at..at + letter.len_utf8()])
                .collect();
            assert_eq!(sentences(letters), given, "{kind}: letter by letter");
            for at in ends {
                assert_eq!(sentences([&text[..at], &text[at..]]), given, "{kind}: split at {at}");
            }
            if given != case {
                wrong.push(format!("{kind}: {given}"));
            }
        }
    }
    assert!(count >= 100, "{count} cases");
    assert_eq!(wrong, [""; 0], "of {count} cases");
}
